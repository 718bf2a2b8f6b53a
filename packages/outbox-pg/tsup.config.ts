import { defineConfig } from 'tsup'

export default defineConfig({
  entry: { index: 'src/index.ts', cli: 'src/cli.ts' },
  format: ['esm', 'cjs'],
  target: 'node22',
  platform: 'node',
  // Without the workspace's paths: others are built against what is published, never against sources.
  tsconfig: '../../tsconfig.base.json',
  dts: true,
  splitting: true,
  clean: true,
})

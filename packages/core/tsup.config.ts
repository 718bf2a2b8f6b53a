import { defineConfig } from 'tsup'

export default defineConfig({
  entry: { index: 'src/index.ts', 'memory/index': 'src/memory/index.ts', 'testing/index': 'src/testing/index.ts' },
  format: ['esm', 'cjs'],
  target: 'node22',
  platform: 'node',
  // Without the workspace's paths: others are built against what is published, never against sources.
  tsconfig: '../../tsconfig.base.json',
  dts: true,
  splitting: true,
  clean: true,
})

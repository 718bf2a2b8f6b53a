import { existsSync } from 'node:fs'
import { defineConfig } from 'tsup'

/** The command `waybill-outbox`. */
const command = existsSync('src/cli.ts') ? { cli: 'src/cli.ts' } : {}

export default defineConfig({
  entry: { index: 'src/index.ts', ...command },
  format: ['esm', 'cjs'],
  target: 'node22',
  platform: 'node',
  // Without the workspace's paths: others are built against what is published, never against sources.
  tsconfig: '../../tsconfig.base.json',
  dts: true,
  splitting: true,
  clean: true,
})

import type { Options } from 'tsup'

/** How every published package is built: ESM, CommonJS, and types for both. */
export const library = (entry: Record<string, string>): Options => ({
  entry,
  format: ['esm', 'cjs'],
  target: 'node22',
  platform: 'node',
  // Without the workspace's paths: others are built against what is published, never against sources.
  tsconfig: '../../tsconfig.base.json',
  dts: true,
  splitting: true,
  clean: true,
})

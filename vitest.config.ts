import { fileURLToPath } from 'node:url'
import { defineConfig } from 'vitest/config'

const source = (path: string) => fileURLToPath(new URL(`packages/${path}`, import.meta.url))

export default defineConfig({
  resolve: {
    // Tests run on the sources, as the paths of tsconfig.json say. Subpaths first: the first match wins.
    alias: [
      { find: /^@waybill\/core\/([a-z]+)$/, replacement: source('core/src/$1/index.ts') },
      { find: /^@waybill\/([a-z-]+)$/, replacement: source('$1/src/index.ts') },
    ],
  },
  test: {
    include: ['packages/**/*.test.ts', 'examples/**/*.test.ts', 'dev/**/*.test.ts', 'docs/**/*.test.ts'],
    exclude: ['**/node_modules/**', '**/dist/**', '**/.dist-*/**'],
    globalSetup: ['dev/servers/given.ts'],
    testTimeout: 30_000,
    hookTimeout: 60_000,
    pool: 'forks',
    maxWorkers: 2,
    typecheck: {
      enabled: true,
      include: ['packages/**/*.test-d.ts', 'examples/**/*.test-d.ts'],
      // The rest of the code is checked by `npm run types`.
      ignoreSourceErrors: true,
    },
  },
})

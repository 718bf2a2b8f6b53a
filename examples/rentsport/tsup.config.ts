import { defineConfig } from 'tsup'

/** The page alone: everything else runs from its sources. */
export default defineConfig({
  entry: { main: 'src/page/main.tsx' },
  outDir: 'dist/page',
  tsconfig: 'src/page/tsconfig.json',
  format: 'esm',
  platform: 'browser',
  target: 'es2022',
  noExternal: ['preact'],
  publicDir: 'src/page/static',
  outExtension: () => ({ js: '.js' }),
  minify: true,
  clean: true,
})

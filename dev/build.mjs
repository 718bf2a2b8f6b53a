// npm run build: each package whose inputs changed; `npm run build -- --force` for all.
import { buildStale, ensureInstalled, say } from './bootstrap.mjs'

try {
  await ensureInstalled()
  await buildStale({ force: process.argv.includes('--force') })
  say('every package is built')
} catch (error) {
  say(error.message)
  process.exitCode = 1
}

// npm test: every test against real servers; `npm test -- packages/core` for some of them.
import { command } from './bootstrap.mjs'

await command('dev/commands/test.ts')

// npm run faults: the suite's cases that kill, stop and block brokers; `npm run faults -- --help` for more.
import { command } from './bootstrap.mjs'

await command('dev/commands/faults.ts', { build: false })

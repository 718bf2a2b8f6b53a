// npm run bench: the benchmarks against real servers, each beside its raw limit; `npm run bench -- --help` for more.
import { command } from './bootstrap.mjs'

await command('dev/commands/bench.ts', { build: false })

#!/usr/bin/env node
import { runCommand } from './command.ts'
import { steadyOutput } from './steady-output.ts'

/** One Ctrl-C may arrive twice: npm hands it on to whom the terminal has sent it already. */
const SAME_SIGNAL_MS = 500
/** Whoever sent SIGTERM sends SIGKILL after 10 s. What is not confirmed by then is sent again by the next relay. */
const END_MS = 9_500

const stop = new AbortController()
let stoppedMs = 0
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.on(signal, () => {
    if (!stop.signal.aborted) {
      stoppedMs = performance.now()
      stop.abort(new Error('stopped'))
      setTimeout(() => process.exit(0), END_MS).unref()
    } else if (performance.now() - stoppedMs > SAME_SIGNAL_MS) process.exit(1)
  })
}
// whoever read the output has seen enough, as `head` has
process.stdout.on('error', (error: NodeJS.ErrnoException) => process.exit(error.code === 'EPIPE' ? 0 : 1))
// there is no place left to say so
process.stderr.on('error', () => undefined)
const out = steadyOutput(process.stdout)
const errors = steadyOutput(process.stderr)

void runCommand({
  args: process.argv.slice(2),
  env: process.env,
  signal: stop.signal,
  terminal: process.stdout.isTTY === true,
  print: (text) => out.write(text),
  printError: (text) => errors.write(text),
}).then((code) => {
  // an answer that was not written is none; what was told to stop had lasted, and said what it could
  process.exitCode = code === 0 && out.lost > 0 && !stop.signal.aborted ? 1 : code
})

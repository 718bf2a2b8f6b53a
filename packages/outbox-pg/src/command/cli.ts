#!/usr/bin/env node
import { runCommand } from './command.ts'

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

void runCommand({
  args: process.argv.slice(2),
  env: process.env,
  signal: stop.signal,
  terminal: process.stdout.isTTY === true,
  print: (text) => process.stdout.write(`${text}\n`),
  printError: (text) => process.stderr.write(`${text}\n`),
}).then((code) => (process.exitCode = code))

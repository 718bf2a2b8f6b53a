import type { Logger } from '@waybill/core'

/** Warnings and errors on stderr, one line each, with the name of the process; the rest is silence. */
export function processLogger(name: string): Logger {
  const write = (level: string) => (fields: object, text: string) => {
    const error = (fields as { error?: unknown }).error
    const reason = error instanceof Error ? `: ${error.message}` : ''
    process.stderr.write(`[${name}] ${level} ${text}${reason}\n`)
  }
  const silent = () => undefined
  return { debug: silent, info: silent, warn: write('warning:'), error: write('error:') }
}

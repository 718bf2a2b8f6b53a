import { fstatSync, writeSync } from 'node:fs'

/** Where a command that lasts writes what it says. */
export interface SteadyOutput {
  write(line: string): void
  /** Lines that were not written since the last one that was. */
  readonly lost: number
}

/**
 * Lines into a file are dropped while its disk is full, and counted: a relay goes on without its log, and says so once
 * there is room again. Pipes and terminals are left to Node.
 */
export function steadyOutput(stream: { readonly fd: number; write(text: string): unknown }): SteadyOutput {
  if (!isFile(stream.fd)) return { write: (line) => void stream.write(`${line}\n`), lost: 0 }
  let lost = 0
  let reason = ''
  let torn = false
  // Node's own stream to a file ends with its first error
  const tryToWrite = (text: string): boolean => {
    const bytes = Buffer.from(text)
    let done = 0
    try {
      while (done < bytes.length) done += writeSync(stream.fd, bytes, done)
      torn = false
      return true
    } catch (error) {
      torn ||= done > 0
      reason = (error as NodeJS.ErrnoException).code ?? 'unknown'
      return false
    }
  }
  return {
    write(line) {
      const end = torn ? '\n' : ''
      const before = lost === 0 ? '' : `${end}${lost} lines could not be written: ${reason}\n`
      if (tryToWrite(`${before}${line}\n`)) lost = 0
      else lost++
    },
    get lost() {
      return lost
    },
  }
}

function isFile(fd: number): boolean {
  try {
    return fstatSync(fd).isFile()
  } catch {
    return false
  }
}

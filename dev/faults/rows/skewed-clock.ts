import { mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { faketimeLibrary } from '../../servers/faketime-files.ts'
import { CannotRunHere } from './scenario.ts'

/** A clock of processes that is off by some minutes, and can jump while they run. Their monotonic clock is right. */
export async function skewedClock(minutes: number) {
  if (process.platform !== 'linux') throw new CannotRunHere('libfaketime is fetched for Linux')
  const library = await faketimeLibrary().catch((cause: Error) => {
    throw new CannotRunHere(`libfaketime is not there: ${cause.message}`, { cause })
  })
  const folder = mkdtempSync(join(tmpdir(), 'waybill-clock-'))
  const file = join(folder, 'offset')
  const jump = (to: number) => {
    writeFileSync(`${file}.new`, `${to < 0 ? '-' : '+'}${Math.abs(to)}m\n`)
    renameSync(`${file}.new`, file)
  }
  jump(minutes)
  return {
    /** For the processes that go by it. */
    env: {
      LD_PRELOAD: library,
      FAKETIME_TIMESTAMP_FILE: file,
      FAKETIME_NO_CACHE: '1',
      FAKETIME_DONT_FAKE_MONOTONIC: '1',
    },
    jump,
    [Symbol.dispose]: () => rmSync(folder, { recursive: true, force: true }),
  }
}

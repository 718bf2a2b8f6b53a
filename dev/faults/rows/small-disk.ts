import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { execute } from '../../servers/execute.ts'
import { CannotRunHere } from './scenario.ts'

/** A disk of so many MiB, mounted while it is in use. */
export async function smallDisk(mib: number) {
  const path = mkdtempSync(join(tmpdir(), 'waybill-disk-'))
  const remove = () => rmSync(path, { recursive: true, force: true })
  try {
    await execute('mount', ['-t', 'tmpfs', '-o', `size=${mib}m,mode=1777`, 'tmpfs', path])
  } catch (cause) {
    remove()
    throw new CannotRunHere('no small disk can be mounted', { cause })
  }
  return {
    path,
    async [Symbol.asyncDispose]() {
      await execute('umount', ['-l', path])
      remove()
    },
  }
}

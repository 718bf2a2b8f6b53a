import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { cached } from './cached.ts'
import { DebianPackages } from './debian-packages.ts'
import { execute } from './execute.ts'
import { requirePrograms } from './missing.ts'

/** Runs on the C library of each suite since. */
const SUITE = 'bookworm'

/**
 * The library that gives a process another time, to be preloaded; `undefined` where there is none.
 * @see https://github.com/wolfcw/libfaketime
 */
export async function faketimeLibrary(): Promise<string> {
  const folder = await cached('faketime', async (tree) => {
    await requirePrograms('libfaketime', 'LD_PRELOAD', ['apt-get', 'dpkg-deb'])
    const work = mkdtempSync(join(tmpdir(), 'waybill-apt-'))
    try {
      const packages = await DebianPackages.open(work, SUITE)
      for (const deb of await packages.download(['libfaketime'])) await execute('dpkg-deb', ['-x', deb, tree])
    } finally {
      rmSync(work, { recursive: true, force: true })
    }
  })
  const found = readdirSync(join(folder, 'usr/lib')).map((place) =>
    join(folder, 'usr/lib', place, 'faketime/libfaketime.so.1'),
  )
  const library = found.find((file) => existsSync(file))
  if (library === undefined) throw new Error('the package libfaketime holds no library')
  return library
}

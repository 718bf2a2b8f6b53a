import { existsSync, mkdirSync, renameSync, rmSync } from 'node:fs'
import { basename, dirname, resolve } from 'node:path'
import { withLock } from '../bootstrap/lock.mjs'
import { cacheFolder } from '../bootstrap/paths.mjs'

/** A folder of fetched files (a name in the cache, or a path), made once: it gets its name when `fill` has succeeded. */
export async function cached(name: string, fill: (folder: string) => Promise<void>): Promise<string> {
  const folder = resolve(cacheFolder, 'servers', name)
  if (existsSync(folder)) return folder
  return withLock(`fetch-${basename(folder)}`, async () => {
    if (existsSync(folder)) return folder
    const part = `${folder}.part`
    mkdirSync(dirname(folder), { recursive: true })
    rmSync(part, { recursive: true, force: true })
    mkdirSync(part)
    try {
      await fill(part)
      renameSync(part, folder)
    } catch (error) {
      rmSync(part, { recursive: true, force: true })
      throw error
    }
    return folder
  })
}

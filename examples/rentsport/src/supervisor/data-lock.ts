import { ConfigError } from '@waybill/core'
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { commandOf } from './process-info.ts'

/**
 * One RentSport at a time over one data folder; what a killed one left is taken over.
 * @throws {ConfigError} another one runs there
 */
export function lockDataFolder(dataDir: string): Disposable {
  mkdirSync(dataDir, { recursive: true })
  const file = join(dataDir, 'rentsport.pid')
  for (let tries = 0; ; tries += 1) {
    try {
      writeFileSync(file, `${process.pid}\n`, { flag: 'wx' })
      return { [Symbol.dispose]: () => rmSync(file, { force: true }) }
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST' || tries > 3) throw error
    }
    const owner = ownerOf(file)
    if (owner !== undefined) {
      throw new ConfigError(
        `DATA_DIR is ${dataDir}: RentSport runs there already (process ${owner}), give another folder`,
      )
    }
    rmSync(file, { force: true })
  }
}

function ownerOf(file: string): number | undefined {
  let pid: number
  try {
    pid = Number(readFileSync(file, 'utf8'))
  } catch {
    return undefined
  }
  // The number may belong to somebody else by now.
  return pid > 0 && pid !== process.pid && commandOf(pid)?.includes('main.ts') ? pid : undefined
}

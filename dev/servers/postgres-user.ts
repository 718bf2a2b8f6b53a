import { statSync } from 'node:fs'
import { dirname } from 'node:path'
import { say } from '../bootstrap/paths.mjs'
import { execute } from './execute.ts'

export interface SystemUser {
  readonly uid: number
  readonly gid: number
}

/** PostgreSQL and PgBouncer refuse to run as root: whom they run as then, else `undefined`. */
export async function postgresUser(): Promise<SystemUser | undefined> {
  if (process.getuid?.() !== 0) return undefined
  const idOf = async (flag: string) => Number(await execute('id', [flag, 'postgres']))
  try {
    return { uid: await idOf('-u'), gid: await idOf('-g') }
  } catch {
    say("making the system user postgres: PostgreSQL doesn't run as root")
    await execute('useradd', ['--system', '--user-group', '--shell', '/bin/false', 'postgres'])
    return { uid: await idOf('-u'), gid: await idOf('-g') }
  }
}

/** Where files lie that this user has to reach, whatever folder the workspace is in. */
export const PASSABLE_FOLDER = '/var/tmp/waybill'

/** Whether any user may pass through every folder above. */
export function passable(path: string): boolean {
  for (let folder = path; ; folder = dirname(folder)) {
    if ((statSync(folder).mode & 0o001) === 0) return false
    if (folder === dirname(folder)) return true
  }
}

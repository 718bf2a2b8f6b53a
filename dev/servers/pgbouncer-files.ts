import { globSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { say } from '../bootstrap/paths.mjs'
import { cached } from './cached.ts'
import { DebianPackages, unpackDebian } from './debian-packages.ts'
import { requirePrograms } from './missing.ts'
import { PASSABLE_FOLDER, postgresUser, type SystemUser } from './postgres-user.ts'

/** PgBouncer 1.24, the first that carries prepared statements over by default. */
const SUITE = 'trixie'
const VERSION = '1.24'

export interface PgBouncerFiles {
  readonly command: string
  /** Before its own. */
  readonly args: readonly string[]
  /** Like PostgreSQL it refuses to run as root. */
  readonly user: SystemUser | undefined
}

/** PgBouncer as Debian packs it, with its own libraries and their loader: installs nothing, fits any Linux. */
export async function pgBouncerFiles(): Promise<PgBouncerFiles> {
  const user = await postgresUser()
  const given = process.env.PGBOUNCER_PATH
  if (given) return { command: given, args: [], user }
  const name = `pgbouncer-${VERSION}`
  if (user !== undefined) mkdirSync(PASSABLE_FOLDER, { recursive: true, mode: 0o755 })
  const tree = await cached(user === undefined ? name : join(PASSABLE_FOLDER, name), fetchTree)
  const [loader] = globSync('usr/lib/*/ld-linux-*.so.*', { cwd: tree })
  if (loader === undefined) throw new Error('the packages hold no loader: set PGBOUNCER_PATH to a PgBouncer')
  return {
    command: join(tree, loader),
    args: ['--library-path', dirname(join(tree, loader)), join(tree, 'usr/sbin/pgbouncer')],
    user,
  }
}

async function fetchTree(tree: string): Promise<void> {
  await requirePrograms('PgBouncer', 'PGBOUNCER_PATH', ['apt-get', 'dpkg-deb', 'tar'])
  say(`fetching PgBouncer ${VERSION} from the Debian mirror (about 10 MB, some 15 s)`)
  const work = mkdtempSync(join(tmpdir(), 'waybill-apt-'))
  try {
    const packages = await DebianPackages.open(work, SUITE)
    const libraries = (await packages.closure(['pgbouncer'])).filter((name) => /^(?:lib(?!perl)|zlib)/.test(name))
    for (const deb of await packages.download(['pgbouncer', ...libraries])) await unpackDebian(deb, tree)
  } finally {
    rmSync(work, { recursive: true, force: true })
  }
}

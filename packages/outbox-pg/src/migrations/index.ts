import { setTimeout as pause } from 'node:timers/promises'
import { ConnectionError } from '@waybill/core'
import type { PgClient, PgPool } from '../database.ts'
import { isLockTimeout } from '../database-errors.ts'
import { rawSql, type RawExecutor } from '../kysely.ts'
import { DEFAULT_SCHEMA, quoteSchema } from '../schema-name.ts'
import { checkServer, checkServerSql } from './server-version.ts'
import { version1 } from './version-1.ts'
import { version2 } from './version-2.ts'
import { version3 } from './version-3.ts'
import { version4 } from './version-4.ts'
import { version5 } from './version-5.ts'
import { version6 } from './version-6.ts'

/** Each version's SQL; the first entry makes version 1. A published entry never changes. */
const VERSIONS: readonly ((schema: string) => string)[] = [version1, version2, version3, version4, version5, version6]

/** A table is waited for no longer in one go: whoever wants it meanwhile waits behind the migration. */
const LOCK_MS = 100
const PAUSE_MS = 500
const WAIT_MS = 60_000

export interface MigrateOptions {
  readonly pool: PgPool
  /** @default 'waybill' */
  readonly schema?: string | undefined
  /**
   * How long to try again while a transaction, such as a backup, keeps a table from being changed, in milliseconds.
   * @default 60_000
   */
  readonly waitMs?: number | undefined
}

/**
 * Brings the tables to the newest version. Safe to run at every start, under load, and by several processes at once:
 * nobody waits longer than 100 ms behind a try.
 * @returns the version before and after
 * @throws {ConfigError} for a bad schema name, or PostgreSQL older than 14
 * @throws {ConnectionError} when the tables were not free within `waitMs`; it names who keeps them
 */
export async function migrate({
  pool,
  schema = DEFAULT_SCHEMA,
  waitMs = WAIT_MS,
}: MigrateOptions): Promise<{ from: number; to: number }> {
  const quoted = quoteSchema(schema)
  const client = await pool.connect()
  let broken = false
  try {
    await checkServer(client)
    const untilMs = performance.now() + waitMs
    for (;;) {
      try {
        return await tryToMigrate(client, schema, quoted)
      } catch (error) {
        await client.query('ROLLBACK').catch(() => (broken = true))
        if (!isLockTimeout(error)) throw error
        if (performance.now() >= untilMs) throw await notFree(client, schema, quoted, error)
      }
      // processes that start together must not try in step
      await pause(PAUSE_MS * (0.5 + Math.random() / 2))
    }
  } finally {
    client.release(broken)
  }
}

async function tryToMigrate(client: PgClient, schema: string, quoted: string): Promise<{ from: number; to: number }> {
  await client.query('BEGIN')
  await client.query(`SELECT pg_advisory_xact_lock(hashtextextended('waybill migrate ' || $1, 0))`, [schema])
  await client.query(`SET LOCAL lock_timeout = ${LOCK_MS}`)
  const { rows } = await client.query('SELECT to_regnamespace($1) AS schema, to_regclass($2) AS meta', [
    quoted,
    `${quoted}.meta`,
  ])
  if (rows[0].schema === null) await client.query(`CREATE SCHEMA ${quoted}`)
  if (rows[0].meta === null) await client.query(createMeta(quoted))
  const from = Number((await client.query(`SELECT schema_version FROM ${quoted}.meta`)).rows[0].schema_version)
  for (const version of VERSIONS.slice(from)) await client.query(version(quoted))
  if (from < VERSIONS.length) {
    await client.query(`UPDATE ${quoted}.meta SET schema_version = $1`, [VERSIONS.length])
  }
  await client.query('COMMIT')
  return { from, to: Math.max(from, VERSIONS.length) }
}

async function notFree(client: PgClient, schema: string, quoted: string, cause: unknown): Promise<ConnectionError> {
  const { rows } = await client.query(
    `SELECT string_agg(DISTINCT pid::text, ', ') AS pids FROM pg_locks JOIN pg_class ON pg_class.oid = relation
     WHERE granted AND pid <> pg_backend_pid() AND relnamespace = to_regnamespace($1)`,
    [quoted],
  )
  const held = (rows[0].pids as string | null) ?? 'unknown'
  const text = `the tables in schema ${schema} are in use and were not changed: end the transactions of process ${held} in pg_stat_activity, or migrate again later`
  return new ConnectionError(text, { cause })
}

/** All of the SQL that makes the newest version in an empty schema, for a user's own migration tool. PostgreSQL older than 14 fails it. */
export function migrationSql(options: { readonly schema?: string | undefined } = {}): string {
  const schema = quoteSchema(options.schema)
  return [
    checkServerSql(),
    `CREATE SCHEMA IF NOT EXISTS ${schema};`,
    createMeta(schema),
    ...VERSIONS.map((version) => version(schema)),
    `UPDATE ${schema}.meta SET schema_version = ${VERSIONS.length};`,
  ].join('\n')
}

/** A migration provider as kysely's `Migrator` takes it, by shape. */
export interface OutboxMigrations {
  getMigrations(): Promise<Record<string, { up(db: never): Promise<void> }>>
}

/**
 * The versions as migrations for kysely's own `Migrator`, for those who keep all of their schema there. The first throws a
 * `ConfigError` on PostgreSQL older than 14.
 * @example new Migrator({ db, provider: migrations() })
 */
export function migrations(options: { readonly schema?: string | undefined } = {}): OutboxMigrations {
  const schema = quoteSchema(options.schema)
  const entries = VERSIONS.map((version, index) => {
    const first = index === 0 ? `CREATE SCHEMA IF NOT EXISTS ${schema};${createMeta(schema)}` : ''
    const text = `${first}${version(schema)};UPDATE ${schema}.meta SET schema_version = ${index + 1};`
    const name = `waybill_${String(index + 1).padStart(4, '0')}`
    const up = async (db: unknown) => {
      const queryable = rawSql(db as RawExecutor)
      if (index === 0) await checkServer(queryable)
      await queryable.query(text)
    }
    return [name, { up }] as const
  })
  return { getMigrations: () => Promise.resolve(Object.fromEntries(entries)) }
}

const createMeta = (schema: string) => `
CREATE TABLE ${schema}.meta (schema_version int NOT NULL, min_relay int NOT NULL);
INSERT INTO ${schema}.meta VALUES (0, 1);`

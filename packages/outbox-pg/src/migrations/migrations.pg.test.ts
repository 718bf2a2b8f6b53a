import { randomBytes } from 'node:crypto'
import { Kysely, PostgresDialect } from 'kysely'
import { Migrator } from 'kysely/migration'
import pg from 'pg'
import { afterEach, describe, expect, test } from 'vitest'
import { createOutbox } from '../outbox/outbox.ts'
import { testDatabase } from '../test-database.ts'
import { migrate, migrations, migrationSql } from './index.ts'
import { checkServerSql } from './server-version.ts'

const tablesOf = async (pool: pg.Pool, schema: string) =>
  (
    await pool.query(`select table_name as name from information_schema.tables where table_schema = $1 order by 1`, [
      schema,
    ])
  ).rows.map(({ name }) => name)

test('the same tables by migrate, five at once, by its SQL, and by the migrator of kysely', async () => {
  const pool = new pg.Pool({ connectionString: process.env.DATABASE_URL, max: 6 })
  const [one, two, three] = Array.from({ length: 3 }, () => `test_${randomBytes(6).toString('hex')}`) as [
    string,
    string,
    string,
  ]
  try {
    const results = await Promise.all(Array.from({ length: 5 }, () => migrate({ pool, schema: one })))
    expect(results.map(({ from }) => from).toSorted()).toEqual([0, 6, 6, 6, 6])
    await pool.query(migrationSql({ schema: two }))
    const db = new Kysely({ dialect: new PostgresDialect({ pool }) })
    const own = { migrationTableName: `${three}_done`, migrationLockTableName: `${three}_lock` }
    const { error } = await new Migrator({ db, provider: migrations({ schema: three }), ...own }).migrateToLatest()
    expect(error).toBeUndefined()
    await pool.query(`drop table "${three}_done", "${three}_lock"`)
    expect(await tablesOf(pool, one)).toContain('outbox')
    for (const schema of [two, three]) {
      expect(await tablesOf(pool, schema)).toEqual(await tablesOf(pool, one))
      expect(await migrate({ pool, schema })).toEqual({ from: 6, to: 6 })
    }
    for (const schema of ['', 'a\0b', 'x'.repeat(51), 'pg_mine', '\ud800']) {
      await expect(migrate({ pool, schema })).rejects.toMatchObject({ code: 'CONFIG' })
      expect(() => createOutbox({ db: pool, source: '/a', schema })).toThrow(
        expect.objectContaining({ code: 'CONFIG' }),
      )
    }
  } finally {
    for (const schema of [one, two, three]) await pool.query(`drop schema if exists "${schema}" cascade`)
    await pool.end()
  }
})

describe('a server that is too old is refused by its version, before anything is made', () => {
  const asked: string[] = []
  const answer = (text: string) => {
    asked.push(text)
    return Promise.resolve({ rows: [{ server_version_num: '130018' }] })
  }
  const refused = { code: 'CONFIG', message: expect.stringMatching(/PostgreSQL 13.*14 or later/) }
  afterEach(() => {
    expect(asked.splice(0).filter((text) => text !== 'ROLLBACK')).toEqual(['SHOW server_version_num'])
  })

  test('by migrate', async () => {
    const client = { query: answer, release: () => undefined }
    const pool = {
      ...client,
      connect: () => Promise.resolve(client),
      on: () => undefined,
      removeListener: () => undefined,
    }
    await expect(migrate({ pool })).rejects.toMatchObject(refused)
  })

  test('by the migrations of kysely', async () => {
    const db = { withoutPlugins: () => ({ executeQuery: ({ sql }: { sql: string }) => answer(sql) }) }
    const [first] = Object.values(await migrations().getMigrations())
    await expect(first!.up(db as never)).rejects.toMatchObject(refused)
  })
})

test('the SQL itself refuses such a server, in words', async () => {
  const pool = new pg.Pool({ connectionString: process.env.DATABASE_URL, max: 1 })
  try {
    const { rows } = await pool.query('SHOW server_version_num')
    const next = Math.floor(Number(rows[0].server_version_num) / 10_000) + 1
    await pool.query(checkServerSql(next - 1))
    await expect(pool.query(checkServerSql(next))).rejects.toMatchObject({
      code: '0A000',
      message: expect.stringContaining(`needs ${next} or later`),
    })
    expect(migrationSql().startsWith(checkServerSql(14))).toBe(true)
  } finally {
    await pool.end()
  }
})

test('while somebody keeps a table, migrate tries again and again, and nobody waits behind it', async () => {
  await using database = await testDatabase()
  const { pool, schema } = database
  // as version 5 found it
  await pool.query(`drop index "${schema}".inbox_handled; create index inbox_handled on "${schema}".inbox (handled_at)`)
  await pool.query(`update "${schema}".meta set schema_version = 4`)
  const reading = await pool.connect()
  try {
    const { rows } = await reading.query('select pg_backend_pid() as pid')
    await reading.query(`begin; lock table "${schema}".inbox in access share mode`)
    await expect(migrate({ pool, schema, waitMs: 0 })).rejects.toMatchObject({
      code: 'CONNECTION',
      message: expect.stringContaining(`process ${rows[0].pid}`),
      cause: expect.objectContaining({ code: '55P03' }),
    })
    const migrated = migrate({ pool, schema })
    await expect.poll(() => waitsFor(pool, schema), { interval: 10, timeout: 10_000 }).toBe(true)
    await pool.query(`set statement_timeout = 5000; select from "${schema}".inbox; reset statement_timeout`)
    expect(await versionOf(pool, schema)).toBe(4)
    await reading.query('commit')
    expect(await migrated).toEqual({ from: 4, to: 6 })
  } finally {
    reading.release(true)
  }
})

async function waitsFor(pool: pg.Pool, schema: string): Promise<boolean> {
  const { rows } = await pool.query(
    `select from pg_locks where not granted and relation = '"${schema}".inbox'::regclass`,
  )
  return rows.length > 0
}

async function versionOf(pool: pg.Pool, schema: string): Promise<number> {
  return (await pool.query(`select schema_version as version from "${schema}".meta`)).rows[0].version as number
}

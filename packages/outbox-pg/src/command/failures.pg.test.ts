import { createServer, type AddressInfo, type Server as TcpServer } from 'node:net'
import pg from 'pg'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { startPostgres, type Server } from '../../../../dev/servers/index.ts'
import { migrate } from '../migrations/index.ts'
import { runCommand } from './command.ts'

/** Everybody may come, but for a user with a password and one who has to come by TLS. */
const RULES = [
  'host all locked all scram-sha-256',
  'hostssl all sealed all trust',
  'host all sealed all reject',
  'host all all all trust',
]
let server: Server
let silent: TcpServer

beforeAll(async () => {
  silent = createServer().listen(0, '127.0.0.1')
  server = await startPostgres({ direct: true })
  const pool = new pg.Pool({ connectionString: server.url, max: 1 })
  try {
    await migrate({ pool })
    await pool.query(`CREATE ROLE locked LOGIN PASSWORD 'right'`)
    await pool.query('CREATE ROLE sealed LOGIN')
    await pool.query('CREATE ROLE stranger LOGIN')
    const { rows } = await pool.query('SHOW hba_file')
    const lines = RULES.map((rule) => `('${rule}')`).join(', ')
    await pool.query(`COPY (VALUES ${lines}) TO '${rows[0].hba_file}'`)
    await pool.query('SELECT pg_reload_conf()')
    await vi.waitFor(async () => expect(await refused(at('sealed'))).toBe(true), { timeout: 10_000 })
  } finally {
    await pool.end()
  }
})
afterAll(async () => {
  silent.close()
  await server?.[Symbol.asyncDispose]()
})

/** The URL of the server for another user, and more of a URL behind it. */
const at = (user: string, rest = '/postgres') =>
  server.url.replace(/\/\/postgres@/, `//${user}@`).replace(/\/postgres$/, rest)

async function refused(connectionString: string): Promise<boolean> {
  const client = new pg.Client({ connectionString })
  return client.connect().then(
    () => client.end().then(() => false),
    () => true,
  )
}

async function run(args: string[], env: Record<string, string> = {}) {
  let out = ''
  let error = ''
  const code = await runCommand({
    args,
    env,
    signal: new AbortController().signal,
    print: (text) => (out += `${text}\n`),
    printError: (text) => (error += `${text}\n`),
  })
  return { code, out, error }
}

test.each([
  ['notaurl:hunter2'],
  ['http://user:hunter2@127.0.0.1/x'],
  ['postgres://user:hunter2@host:port/x'],
  ['postgres://user:hunter2@127.0.0.1:1/x?sslrootcert=/none.pem'],
  [''],
])('%j is no URL: told what one looks like, with exit code 2, and is not repeated', async (url) => {
  for (const [args, env] of [
    [['status', '--url', url], {}],
    [['status'], { DATABASE_URL: url }],
  ] as const) {
    const { code, error } = await run([...args], env)
    expect([code, error]).toEqual([2, expect.stringContaining('postgres://USER:PASSWORD@HOST:5432/DATABASE')])
    expect(error).toContain(args.length === 1 ? 'DATABASE_URL' : '--url')
    expect(error).not.toContain('hunter2')
    const json = await run([...args, '--json'], env)
    expect([json.code, json.out, JSON.parse(json.error).code]).toEqual([2, '', 'USAGE'])
  }
})

const SURE = ['--yes', '--reason', 'test']
const COMMANDS = [
  ['migrate'],
  ['status'],
  ['readers', 'list'],
  ['readers', 'move', 'service/a', '--to', '1', ...SURE],
  ['readers', 'drop', 'service/a', ...SURE],
  ['parked', 'list'],
  ['parked', 'replay', '1'],
  ['parked', 'discard', '1@relay/a', ...SURE],
  ['purge', 'inbox', '--older-than', '1d', ...SURE],
]

interface Case {
  readonly url: () => string
  readonly code: string
  readonly text: RegExp
  readonly env?: Record<string, string>
}

const CASES: Record<string, Case> = {
  'a server that is away': {
    url: () => 'postgres://user:hunter2@127.0.0.1:1/x',
    code: 'UNREACHABLE',
    text: /PostgreSQL at 127\.0\.0\.1:1 as user "user", database "x": not reached.*ECONNREFUSED.*is it running/,
  },
  'a host that nobody knows': {
    url: () => 'postgres://user:hunter2@none.invalid/x',
    code: 'UNREACHABLE',
    text: /none\.invalid:5432.*--url/,
  },
  'a port that never answers': {
    url: () => `postgres://user:hunter2@127.0.0.1:${(silent.address() as AddressInfo).port}/x`,
    code: 'TIMEOUT',
    text: /no connection within 1 s.*frozen/,
    env: { PGCONNECT_TIMEOUT: '1' },
  },
  'a wrong password': {
    url: () => at('locked:hunter2'),
    code: 'AUTHENTICATION',
    text: /user "locked".*password in --url/,
  },
  'no password': { url: () => at('locked'), code: 'AUTHENTICATION', text: /wants a password.*--url/ },
  'an unknown database': {
    url: () => at('postgres:hunter2', '/none'),
    code: 'NO_DATABASE',
    text: /"none" does not exist/,
  },
  'a server that wants TLS': { url: () => at('sealed:hunter2'), code: 'TLS', text: /wants TLS.*sslmode/ },
  'a server without TLS': {
    url: () => at('postgres:hunter2', '/postgres?sslmode=verify-full'),
    code: 'TLS',
    text: /speaks no TLS/,
  },
  'no rights': {
    url: () => at('stranger:hunter2'),
    code: 'NO_RIGHTS',
    text: /permission denied.*waybill-outbox roles/,
  },
}

test.each(Object.entries(CASES))('%s: one sentence from each command, and a code', async (_name, given) => {
  const told = await Promise.all(
    COMMANDS.map(async (command) => {
      const { code, error, out } = await run([...command, '--url', given.url(), '--json'], given.env)
      expect([code, out]).toEqual([1, ''])
      return JSON.parse(error) as { code: string; error: string }
    }),
  )
  for (const { code, error } of told) {
    expect([code, error]).toEqual([given.code, expect.stringMatching(given.text)])
    expect(error).not.toMatch(/hunter2|\n/)
  }
  const { error } = await run(['status', '--url', given.url()], given.env)
  expect(error).toBe(`status: ${told[1]!.error}\n`)
})

test('a statement that a lock holds up is told so', async () => {
  const client = new pg.Client({ connectionString: server.url })
  await client.connect()
  try {
    await client.query('BEGIN; LOCK TABLE waybill.inbox')
    const url = at('postgres', '/postgres?options=-c%20lock_timeout%3D100')
    const { error } = await run(['purge', 'inbox', '--older-than', '1d', ...SURE, '--url', url, '--json'])
    expect(JSON.parse(error)).toEqual({ code: 'TIMEOUT', error: expect.stringMatching(/pg_stat_activity/) })
  } finally {
    await client.end()
  }
})

test.each(COMMANDS.slice(1).map((command) => ({ command })))(
  '$command without tables says what to run',
  async ({ command }) => {
    const { code, error } = await run([...command, '--url', server.url, '--schema', 'no"ne', '--json'])
    expect([code, JSON.parse(error)]).toEqual([
      1,
      {
        code: 'MISSING_TABLES',
        error: expect.stringMatching(/^the tables in schema "no""ne" are missing: run "waybill-outbox migrate"/),
      },
    ])
  },
)

test('watch tells of a database that is away, and goes on', async () => {
  const stop = new AbortController()
  const told: string[] = []
  const code = await runCommand({
    args: ['watch', '--json', '--every', '0.1', '--url', 'postgres://user:hunter2@127.0.0.1:1/x'],
    env: {},
    signal: stop.signal,
    print: () => undefined,
    printError: (text) => {
      if (told.push(text) === 2) stop.abort()
    },
  })
  expect(code).toBe(0)
  for (const line of told) expect(JSON.parse(line)).toMatchObject({ code: 'UNREACHABLE', time: expect.any(String) })
})

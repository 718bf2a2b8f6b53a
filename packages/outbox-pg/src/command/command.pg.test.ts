import { spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { defineEvent, PublishError, type Publisher } from '@waybill/core'
import { expect, test } from 'vitest'
import { z } from 'zod'
import { createOutbox } from '../outbox/outbox.ts'
import { parkedPg } from '../parked-store.ts'
import { postgres } from '../postgres/transport.ts'
import { startRelay } from '../relay/relay.ts'
import { testDatabase } from '../test-database.ts'
import { runCommand } from './command.ts'

const here = (path: string) => fileURLToPath(new URL(path, import.meta.url))
const resolveCore = `data:text/javascript,${encodeURIComponent(`
  import { registerHooks } from 'node:module'
  const sources = { '@waybill/core': 'index.ts', '@waybill/core/command': 'command/index.ts' }
  registerHooks({ resolve: (name, context, next) =>
    next(Object.hasOwn(sources, name) ? new URL(sources[name], ${JSON.stringify(new URL('../../../core/src/', import.meta.url).href)}).href : name, context) })
`)}`
const Booked = defineEvent('rental.booked', { schema: z.object({ number: z.number() }) })

async function fixture() {
  const database = await testDatabase()
  const { schema, connectionString } = database
  const run = async (args: string[], signal = new AbortController().signal) => {
    let out = ''
    let error = ''
    const code = await runCommand({
      args: ['--schema', schema, ...args],
      env: { DATABASE_URL: connectionString },
      signal,
      print: (text) => (out += `${text}\n`),
      printError: (text) => (error += `${text}\n`),
    })
    return { code, out, error }
  }
  const outbox = createOutbox({ db: database.pool, source: '/a', schema, transport: 'amqp' })
  const book = (...numbers: number[]) =>
    outbox.transaction(async (_trx, messages) => {
      for (const number of numbers) messages.publish(Booked, { number })
    })
  return { ...database, run, book }
}

const refusing: Publisher = {
  publish: (messages) => messages.map(() => Promise.reject(new PublishError('no\u001b[2J way', { retryable: false }))),
}

test('migrate twice, status, and words for what is missing, without a password', async () => {
  await using at = await fixture()
  const { pool, schema, run } = at
  expect(await run(['migrate'])).toEqual({
    code: 0,
    out: expect.stringMatching(/^schema is at version \d+ already\n$/),
    error: '',
  })
  await using transport = postgres({ pool, schema })
  await transport.declare!({ destinations: [{ kind: 'queue', name: 'mail' }], subscriptions: [] })
  const status = await run(['status', '--json'])
  expect(JSON.parse(status.out)).toMatchObject({
    schemaVersion: expect.any(Number),
    readers: [{ name: 'queue/mail', lag: 0 }],
  })
  expect((await run(['status'])).out).toMatch(/all is well[^]*queue\/mail +0 +0/)
  const missing = await run(['status', '--schema', `${schema}_none`])
  expect(missing).toMatchObject({ code: 1, error: expect.stringMatching(/missing.*migrate/) })
  const refused = await run(['status', '--url', 'postgres://user:secret@127.0.0.1:1/x'])
  expect(refused.code).toBe(1)
  expect(refused.error).not.toMatch(/secret|\n +at /)
})

test.each<[string[], RegExp]>([
  [['fly'], /"fly" is no command/],
  [['status', 'x'], /options only/],
  [['readers', 'fly'], /list, drop NAME or move NAME/],
  [['readers', 'drop', 'a'], /--reason/],
  [['readers', 'drop', 'a', '--reason', 'b'], /--yes/],
  [['readers', 'move', 'a', '--yes', '--reason', 'b'], /--to POSITION or --time/],
  [['readers', 'move', 'a', '--to', '-1'], /--to/],
  [['parked', 'fly'], /no action/],
  [['parked', 'discard', '1@a', '--yes'], /--reason/],
  [['purge', 'all', '--older-than', '1d'], /inbox, dedupe, parked or refused/],
  [['purge', 'inbox', '--yes', '--reason', 'b'], /--older-than/],
  [['watch', '--every', '0'], /--every/],
  [['relay'], /--config/],
])('%j is told how, with exit code 2 and no stack, and touches nothing', async (args, text) => {
  let error = ''
  const io = { env: {}, signal: new AbortController().signal, print: () => undefined }
  const code = await runCommand({
    ...io,
    args: [...args, '--url', 'postgres://127.0.0.1:1/x'],
    printError: (line) => (error += line),
  })
  expect([code, error]).toEqual([2, expect.stringMatching(text)])
  expect(error).not.toMatch(/\n +at /)
})

test('readers: listed with what they hold, moved back and forth by somebody who runs them, dropped once they stand', async () => {
  await using at = await fixture()
  const { pool, schema, run, book } = at
  const taken: string[] = []
  const carrier: Publisher = {
    publish: (messages) => messages.map(async ({ attributes }) => void taken.push(attributes.sequence!)),
  }
  const relay = startRelay({ pool, schema, transports: { amqp: carrier }, pollMs: 20, leaseMs: 1_000 })
  await book(1, 2, 3)
  await expect.poll(() => taken).toEqual(['1', '2', '3'])
  const sure = ['--yes', '--reason', 'rebuild']
  expect(await run(['readers', 'move', 'relay/amqp', '--to', '2', ...sure])).toMatchObject({
    code: 0,
    out: 'relay/amqp goes on at id 2\n',
  })
  await expect.poll(() => taken, { timeout: 5_000 }).toEqual(['1', '2', '3', '2', '3'])
  expect(await run(['readers', 'drop', 'relay/amqp', ...sure])).toMatchObject({
    code: 1,
    error: expect.stringContaining('is running'),
  })
  await relay.stop()
  await book(4)
  expect((await run(['readers', 'move', 'relay/amqp', '--time', '2020-01-01T00:00:00Z', '--json', ...sure])).out).toBe(
    '{"moved":"relay/amqp","next":1,"first":1,"reason":"rebuild"}\n',
  )
  expect((await run(['readers', 'list'])).out).toMatch(/relay\/amqp +nobody, since .* 4 +.*from id 1\n/)
  expect((await run(['readers', 'drop', 'relay/amqp', ...sure])).out).toBe(
    'relay/amqp dropped, 4 messages were before it\n',
  )
  expect(await run(['readers', 'drop', 'relay/amqp', ...sure])).toMatchObject({
    code: 1,
    error: expect.stringContaining('no reader is named'),
  })
})

test('parked: refused rows and the store in one list, shown safely, replayed where somebody reads, discarded', async () => {
  await using at = await fixture()
  const { pool, schema, run, book } = at
  await using _relay = startRelay({ pool, schema, transports: { amqp: refusing }, pollMs: 20 })
  await book(1, 2)
  await expect
    .poll(async () => (await run(['parked', 'list', '--type', 'rental.booked'])).out)
    .toMatch(/^1@relay\/amqp[^]*\n2@relay\/amqp/)
  const { out } = await run(['parked', 'show', '1@relay/amqp'])
  expect(out).toContain('{"number":1}')
  expect(out).not.toContain('\u001b')
  const message = {
    id: 'm',
    type: 't',
    destination: { kind: 'topic' as const, name: 't' },
    contentType: '',
    body: null,
    attributes: {},
    headers: {},
  }
  await Promise.all(
    parkedPg({ pool, schema }).park([{ service: 'billing', reason: 'no', attempts: 1, parkedAtMs: 0, message }]),
  )
  expect(await run(['parked', 'replay', '1'])).toMatchObject({
    code: 1,
    error: expect.stringContaining('does not read from PostgreSQL'),
  })
  expect((await run(['parked', 'discard', '1@relay/amqp', '1', '--yes', '--reason', 'test'])).out).toBe('2 discarded\n')
  expect(await run(['parked', 'list', '--json'])).toMatchObject({
    out: expect.stringMatching(/^\{"handle":"2@relay\/amqp"[^\n]*\n$/),
  })
})

test('purge forgets what is old and keeps the rest, watch goes on until it is told to end', async () => {
  await using at = await fixture()
  const { pool, schema, run } = at
  await pool.query(`INSERT INTO "${schema}".inbox (service, handler, key, handled_at)
    SELECT 'a', 'b', n::text, now() - interval '1 day' * (n % 10) - interval '1 hour' FROM generate_series(0, 11999) n`)
  const purged = await run(['purge', 'inbox', '--older-than', '5d', '--yes', '--reason', 'room'])
  expect(purged).toEqual({ code: 0, out: '6000 rows of inbox purged\n', error: '5000 so far\n' })
  expect((await pool.query(`SELECT FROM "${schema}".inbox`)).rowCount).toBe(6000)
  const stop = new AbortController()
  let seen = 0
  const code = await runCommand({
    args: ['watch', '--every', '0.1', '--json', '--schema', schema],
    env: { DATABASE_URL: at.connectionString },
    signal: stop.signal,
    print: (text) => {
      expect(JSON.parse(text)).toMatchObject({ lastId: 0 })
      if (++seen === 3) stop.abort()
    },
    printError: () => undefined,
  })
  expect([code, seen]).toEqual([0, 3])
})

test.each(['SIGINT', 'SIGTERM'] as const)(
  'relay in a process of its own: ready, relays, says what is wrong, ends on %s',
  async (signal) => {
    await using at = await fixture()
    const folder = mkdtempSync(join(tmpdir(), 'waybill-relay-'))
    const file = join(folder, 'broker')
    const start = (away: string) => {
      const env = { ...process.env, FILE: file, AWAY: away, DATABASE_URL: at.connectionString, NODE_NO_WARNINGS: '1' }
      const child = spawn(
        process.execPath,
        [
          '--import',
          resolveCore,
          here('cli.ts'),
          'relay',
          '--config',
          here('fixtures/relay-config.ts'),
          '--schema',
          at.schema,
        ],
        { env },
      )
      const said = { text: '' }
      for (const stream of [child.stdout, child.stderr]) stream.on('data', (data) => (said.text += String(data)))
      return {
        child,
        said,
        ended: new Promise<number | null>((resolve) => child.once('close', (code) => resolve(code))),
      }
    }
    const away = start('yes')
    const children = [away]
    try {
      await expect.poll(() => away.said.text, { timeout: 15_000 }).toContain('relay is ready: amqp')
      await at.book(1, 2)
      await expect
        .poll(() => away.said.text, { timeout: 10_000 })
        .toMatch(/carrier amqp is down: broker "amqp" is away: PublishError: no route to the broker/)
      away.child.kill(signal)
      expect(await away.ended).toBe(0)
      const well = start('')
      children.push(well)
      await expect
        .poll(() => (well.said.text.includes('ready') ? readFileSync(file, 'utf8').trim().split('\n').length : 0), {
          timeout: 15_000,
        })
        .toBe(2)
      well.child.kill(signal)
      expect(await well.ended).toBe(0)
      expect(well.said.text).toMatch(/stopped\n$/)
    } finally {
      for (const { child } of children) child.kill('SIGKILL')
      rmSync(folder, { recursive: true })
    }
  },
)

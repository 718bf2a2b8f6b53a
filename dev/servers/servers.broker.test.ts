import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { connect } from 'amqplib'
import pg from 'pg'
import { expect, test, vi } from 'vitest'
import { startPostgres, startRabbitMq } from './index.ts'
import { startTime } from './process-tree.ts'

async function ask(url: string, query: string): Promise<unknown> {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 1_000 })
  client.on('error', () => {})
  try {
    await client.connect()
    const { rows } = (await client.query({ text: query, rowMode: 'array' })) as { rows: unknown[][] }
    return rows[0]?.[0]
  } finally {
    await client.end().catch(() => {})
  }
}

test('PostgreSQL keeps what was committed through kill and restart, on the same address', async () => {
  await using server = await startPostgres()
  await ask(server.url, 'create table kept as select 42 as answer')
  const before = server.pid
  await server.kill()
  await expect(ask(server.url, 'select 1')).rejects.toThrow()
  await server.restart()
  expect(server.pid).not.toBe(before)
  expect(await ask(server.url, 'select answer from kept')).toBe(42)
})

test('a cut line refuses, a silent one hangs, and both heal', async () => {
  await using server = await startPostgres()
  await server.cutOff()
  await expect(ask(server.url, 'select 1')).rejects.toThrow(/ECONNREFUSED/)
  await server.reconnect()
  expect(await ask(server.url, 'select 1')).toBe(1)
  await server.cutOff({ silent: true })
  await expect(ask(server.url, 'select 1')).rejects.toThrow(/timeout/)
  await server.reconnect()
  expect(await ask(server.url, 'select 1')).toBe(1)
})

test(
  'a frozen RabbitMQ answers nobody until it is resumed; after a kill it comes back',
  { timeout: 60_000 },
  async () => {
    await using server = await startRabbitMq()
    const open = async () => (await connect(server.url, { timeout: 1_000 })).close()
    server.freeze()
    await expect(open()).rejects.toThrow()
    server.resume()
    await vi.waitFor(open, { timeout: 10_000 })
    await server.control('add_vhost', "it's here")
    expect(await server.control('list_vhosts', '--quiet')).toContain("it's here")
    await server.kill()
    await expect(open()).rejects.toThrow(/ECONN/)
    await server.restart()
    await open()
  },
)

test('the server and its folder go when their owner is killed', async () => {
  const owner = spawn(process.execPath, [fileURLToPath(new URL('forgetful-owner.ts', import.meta.url))], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const line = await new Promise<string>((resolve) => owner.stdout.once('data', (data) => resolve(String(data))))
  const { pid, folder } = JSON.parse(line) as { pid: number; folder: string }
  expect(startTime(pid)).toBeDefined()
  owner.kill('SIGKILL')
  await vi.waitFor(() => expect([startTime(pid), existsSync(folder)]).toEqual([undefined, false]), { timeout: 10_000 })
})

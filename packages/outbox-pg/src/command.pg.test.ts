import { expect, test } from 'vitest'
import { runCommand } from './command.ts'
import { createOutbox } from './outbox/outbox.ts'
import { postgres } from './postgres/transport.ts'
import { testDatabase } from './test-database.ts'

test('migrate twice, status, and words for what is missing, without a password', async () => {
  await using database = await testDatabase()
  const { pool, schema, connectionString } = database
  const run = async (...args: string[]) => {
    const out: string[] = []
    const code = await runCommand({
      args,
      env: { DATABASE_URL: connectionString },
      print: (text) => out.push(text),
      printError: (text) => out.push(text),
    })
    return { code, text: out.join('\n') }
  }
  expect(await run('migrate', '--schema', schema)).toEqual({ code: 0, text: 'schema is at version 2 already' })
  createOutbox({ db: pool, source: '/a', schema })
  await using transport = postgres({ pool, schema })
  await transport.declare!({ destinations: [{ kind: 'queue', name: 'mail' }], subscriptions: [] })
  const { code, text } = await run('status', '--json', '--schema', schema)
  expect(code).toBe(0)
  expect(JSON.parse(text)).toMatchObject({ schemaVersion: 2, readers: [{ name: 'queue/mail', kind: 'queue', lag: 0 }] })
  expect((await run('status', '--schema', schema)).text).toContain('queue/mail: at 0, 0 behind')
  expect(await run('status', '--schema', 'no_such_schema')).toMatchObject({
    code: 1,
    text: expect.stringContaining('migrate'),
  })
  expect((await run('fly')).code).toBe(2)
  const refused = await run('status', '--url', 'postgres://user:secret@127.0.0.1:1/x')
  expect(refused.code).toBe(1)
  expect(refused.text).not.toContain('secret')
})

import { randomUUID } from 'node:crypto'
import { createBus, defineCommand, defineEvent, on, PublishError } from '@waybill/core'
import { connect, type ChannelModel, type ConfirmChannel } from 'amqplib'
import { afterAll, beforeAll, expect, it, vi } from 'vitest'
import { z } from 'zod'
import { amqp, type AmqpOptions } from './index.ts'

const url = process.env.AMQP_URL!
const schema = z.object({ n: z.number() })
const PATIENCE = { timeout: 20_000, interval: 50 }
let connection: ChannelModel
let channel: ConfirmChannel

beforeAll(async () => {
  connection = await connect(url)
  channel = await connection.createConfirmChannel()
})
afterAll(() => connection.close())

const unique = (name: string) => `${name}-${randomUUID().slice(0, 8)}`

it('reads from a headers exchange of others what each kind of receiver is meant to get, shards included', async () => {
  const exchange = unique('foreign-notes')
  await channel.assertExchange(exchange, 'headers', { durable: true })
  const [mail, text] = [unique('mail'), unique('text')]
  const forKind = (kind: string) => [{ exchange, arguments: { 'x-match': 'all', kind } }]
  const options: AmqpOptions = {
    url,
    bindings: { [mail]: forKind('mail'), [text]: forKind('text') },
    shards: { [text]: 2 },
  }
  const Note = defineEvent('foreign.note', { schema })
  const Keyed = defineEvent('foreign.keyed', { schema, orderingKey: ({ n }) => String(n) })
  await using bus = createBus({ transport: amqp(options), source: '/notes' })
  const seen: string[] = []
  await bus.subscribe(mail, [on(Note, ({ n }) => void seen.push(`mail ${n}`))])
  await bus.subscribe(text, [on(Keyed, ({ n }) => void seen.push(`text ${n}`))])
  const send = (type: string, kind: string, n: number) =>
    channel.publish(exchange, '', Buffer.from(JSON.stringify({ n })), {
      headers: { kind },
      type,
      messageId: `${kind}-${n}`,
      contentType: 'application/json',
    })
  send(Note.wireType, 'mail', 1)
  send(Keyed.wireType, 'text', 2)
  send(Note.wireType, 'fax', 3)
  await channel.waitForConfirms()
  await vi.waitFor(() => expect(seen.sort()).toEqual(['mail 1', 'text 2']), PATIENCE)
})

it('does not declare an exchange of others, and says when it is missing', async () => {
  const service = unique('reader')
  const options: AmqpOptions = { url, bindings: { [service]: [{ exchange: unique('missing') }] } }
  await using bus = createBus({ transport: amqp(options), source: '/notes' })
  const late = bus.subscribe(service, [on(defineEvent('foreign.note', { schema }), () => {})])
  await expect(late).rejects.toThrow(/exchange 'missing-\w+' does not exist/)
})

it("bounds a queue by its user's own argument; what is over the bound is refused, not dropped", async () => {
  const queue = unique('bounded')
  const Do = defineCommand(queue, { schema })
  const service = `${queue}.service`
  await using transport = amqp({ url, queueArguments: { [queue]: { 'x-max-length': 3 } } })
  const sources = [{ kind: 'queue', name: queue }] as const
  await transport.declare!({ destinations: [], subscriptions: [{ service, sources, mode: 'compete' }] })
  await using bus = createBus({ transport, source: '/notes' })
  // a quorum queue looks at its bound now and then, so a few more than three come in
  const refusal = await vi.waitFor(async () => {
    const outcome = await bus.send(Do, { n: 1 }).then(
      () => undefined,
      (error: unknown) => error,
    )
    expect(outcome).toBeInstanceOf(PublishError)
    return outcome
  }, PATIENCE)
  expect(refusal).toMatchObject({ fault: { scope: 'destination' } })
  expect((refusal as Error).message).toMatch(/is the queue full\?/)
})

it('refuses arguments that its promises rest on', () => {
  const overflow = { mail: { 'x-overflow': 'drop-head' } }
  expect(() => amqp({ url, queueArguments: overflow })).toThrow(
    'queueArguments["mail"] holds x-overflow, which the adapter sets',
  )
})

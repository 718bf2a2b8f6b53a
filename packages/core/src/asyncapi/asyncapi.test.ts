import { DiagnosticSeverity, Parser } from '@asyncapi/parser'
import { TimestampSchema } from '@bufbuild/protobuf/wkt'
import { type } from 'arktype'
import fc from 'fast-check'
import * as v from 'valibot'
import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { avro } from '../avro/index.ts'
import type { Codec } from '../codec.ts'
import { defineCommand, defineEvent, defineRequest } from '../definition.ts'
import { on, respond } from '../handler.ts'
import { protobuf } from '../protobuf/index.ts'
import { asyncapi } from './asyncapi.ts'
import type { AsyncApiDocument } from './document.ts'
import type { AsyncApiOptions } from './options.ts'

const info = { title: 'Rentals', version: '1.0.0' }
const servers = {
  commands: { host: 'rabbit.example', protocol: 'amqp', transport: 'amqp' },
  events: { host: 'kafka.example', protocol: 'kafka', transport: 'kafka' },
}

const Booked = defineEvent('rental.booked', {
  schema: z.object({ rentalId: z.string(), days: z.int().min(1) }),
  destination: { name: 'rentals', transport: 'kafka' },
  orderingKey: ({ rentalId }) => rentalId,
})
const BookedAgain = defineEvent('rental.booked', {
  schema: z.object({ rentalId: z.string(), days: z.int(), currency: z.string() }),
  version: 2,
  destination: { name: 'rentals', transport: 'kafka' },
})
const Notify = defineCommand('notify', {
  schema: type({ user_id: 'number.integer' }),
  destination: { transport: 'amqp' },
})
const Status = defineEvent('status', {
  schema: z.object({ ok: z.boolean() }),
  destination: { name: 'status', subject: 'renter.EXPIRED', transport: 'amqp' },
  delivery: 'at-most-once',
})
const Quote = defineRequest('quote', {
  schema: z.object({ days: z.int() }),
  reply: z.object({ cents: z.int() }),
  destination: { transport: 'amqp' },
})

/** What a user's tool makes of the document: nothing wrong with it, and the parsed document. */
async function parsed(document: AsyncApiDocument) {
  const { document: read, diagnostics } = await new Parser().parse(JSON.stringify(document))
  expect(diagnostics.filter(({ severity }) => severity === DiagnosticSeverity.Error)).toEqual([])
  return read!
}

describe('an AsyncAPI document', () => {
  it('of all kinds of definitions on two brokers is valid, and says who sends and receives what where', async () => {
    const document = asyncapi({
      id: 'urn:example:rentals',
      info,
      servers,
      definitions: [Booked, BookedAgain, Status, Quote],
      services: { mail: [on(Notify, () => {}), Status], pricing: [respond(Quote, () => ({ cents: 1 }))] },
    })
    const read = await parsed(document)
    const operations = read
      .operations()
      .all()
      .map((operation) => [
        operation.id(),
        operation.action(),
        operation.channels().all()[0]!.address(),
        operation
          .messages()
          .all()
          .map((message) => message.name())
          .join(),
      ])
    expect(operations).toEqual([
      ['send.rental.booked', 'send', 'rentals', 'rental.booked'],
      ['send.rental.booked.v2', 'send', 'rentals', 'rental.booked.v2'],
      ['send.status', 'send', 'renter.EXPIRED', 'status'],
      ['send.quote', 'send', 'quote', 'quote'],
      ['mail.receive.notify', 'receive', 'notify', 'notify'],
      ['mail.receive.status', 'receive', 'renter.EXPIRED', 'status'],
      ['pricing.receive.quote', 'receive', 'quote', 'quote'],
      ['pricing.receive.quote.gathered', 'receive', 'quote', 'quote'],
    ])
    const gathered = read.operations().get('pricing.receive.quote.gathered')!
    expect(gathered.channels().all()[0]!.bindings().get('amqp')!.json()).toMatchObject({ is: 'routingKey' })
    expect(gathered.reply()!.channel()!.address()).toBeNull()
    const reply = read.operations().get('pricing.receive.quote')!.reply()!
    expect(reply.channel()!.address()).toBeNull()
    expect(reply.address()!.location()).toBe('$message.header#/reply-to')
    expect(reply.messages().all()[0]!.payload()!.properties()!.cents!.type()).toBe('integer')
    expect(read.messages().get('quote')!.correlationId()!.location()).toBe('$message.header#/correlation-id')
    expect(
      read
        .channels()
        .get('rentals')!
        .servers()
        .all()
        .map((server) => server.id()),
    ).toEqual(['events'])
    expect(read.channels().get('rentals')!.bindings().get('kafka')!.json()).toMatchObject({ topic: 'rentals' })
    expect(read.channels().get('notify')!.bindings().get('amqp')!.json()).toMatchObject({
      is: 'queue',
      queue: { name: 'notify', durable: true },
    })
    expect(read.channels().get('status/renter.EXPIRED')!.bindings().get('amqp')!.json()).toMatchObject({
      is: 'routingKey',
      exchange: { name: 'status', type: 'topic' },
    })
    expect(read.operations().get('mail.receive.status')!.bindings().get('amqp')!.json()).toMatchObject({
      ack: false,
      'x-queue': 'mail',
    })
    expect(read.operations().get('send.status')!.bindings().get('amqp')!.json()).toMatchObject({ deliveryMode: 1 })
    expect(document.components.messages['rental.booked']!.bindings).toMatchObject({
      kafka: { key: { type: 'string' } },
    })
    expect(document.components.messages['rental.booked.v2']!.bindings).toBeUndefined()
    const headers = read.messages().get('rental.booked')!.headers()!.json() as {
      properties: object
      required: string[]
    }
    expect(headers.properties).toMatchObject({ ce_type: { const: 'rental.booked' }, ce_specversion: { const: '1.0' } })
    expect(headers.required).toEqual(['ce_specversion', 'ce_id', 'ce_type', 'ce_source'])
  })

  it('names the group that reads a topic, and the types that are routing keys of an exchange without a subject', async () => {
    const One = defineEvent('one', { schema: z.object({}), destination: { name: 'all', transport: 'amqp' } })
    const Two = defineEvent('two', { schema: z.object({}), destination: { name: 'all', transport: 'amqp' } })
    const document = asyncapi({ info, servers, services: { report: [Booked, One, Two] } })
    await parsed(document)
    expect(document.operations['report.receive.rental.booked']!.bindings).toMatchObject({
      kafka: { groupId: { enum: ['report'] } },
    })
    expect(document.channels.all).toMatchObject({ address: '{type}', parameters: { type: { enum: ['one', 'two'] } } })
  })

  it('takes names and words for an operation, and leaves out bindings and headers where told', async () => {
    const Sent = defineCommand('sendNotification.message', {
      schema: z.object({ user_id: z.int() }),
      destination: { kind: 'topic', name: 'notifications/status', transport: 'amqp' },
    })
    const document = asyncapi({
      info,
      servers: { production: { host: 'broker.example', protocol: 'amqp', transport: 'amqp' } },
      services: {
        notifications: [{ definition: Sent, operation: 'sendNotification', schema: 'Notification', summary: 'Status' }],
      },
      bindings: false,
      headers: false,
    })
    await parsed(document)
    expect(document.channels).toEqual({
      'notifications/status': {
        address: 'notifications/status',
        messages: { 'sendNotification.message': { $ref: '#/components/messages/sendNotification.message' } },
      },
    })
    expect(document.operations).toEqual({
      sendNotification: {
        action: 'receive',
        channel: { $ref: '#/channels/notifications~1status' },
        messages: [{ $ref: '#/channels/notifications~1status/messages/sendNotification.message' }],
        summary: 'Status',
      },
    })
    expect(document.components.messages).toEqual({
      'sendNotification.message': {
        name: 'sendNotification.message',
        summary: 'Status',
        payload: { $ref: '#/components/schemas/Notification' },
      },
    })
  })

  it('keeps the references of recursive schemas', async () => {
    const Node = z.object({
      name: z.string(),
      get children() {
        return z.array(Node)
      },
    })
    const Tree = defineEvent('tree', { schema: z.object({ root: Node }) })
    const document = asyncapi({ info, definitions: [Tree] })
    const payload = (await parsed(document)).messages().get('tree')!.payload()!
    const root = payload.properties()!.root!
    expect(root.properties()!.name!.type()).toBe('string')
    const [items] = [root.properties()!.children!.items()].flat()
    expect(items!.properties()!.name!.type()).toBe('string')
  })

  it("carries a codec's own schema with its format", async () => {
    const schema = { type: 'record', name: 'Booked', fields: [{ name: 'days', type: 'int', default: 1 }] }
    const Avro = defineEvent('booked', { ...avro(schema) })
    const document = asyncapi({ info, definitions: [Avro] })
    await parsed(document)
    expect(document.components.messages.booked).toMatchObject({
      contentType: 'avro/binary',
      payload: { schemaFormat: 'application/vnd.apache.avro;version=1.9.0', schema },
    })
    const codec: Codec = { ...Avro.codec, payloadSchema: undefined }
    const silent = defineEvent('booked', { schema: z.object({}), codec })
    expect(() => asyncapi({ info, definitions: [silent] })).toThrow(/"booked" travels as avro\/binary/)
    const proto = 'syntax = "proto3"; message Booked {}'
    const Protobuf = defineEvent('booked', { ...protobuf(TimestampSchema, { proto }) })
    const written = asyncapi({ info, definitions: [Protobuf] })
    await parsed(written)
    expect(written.components.messages.booked).toMatchObject({
      contentType: 'application/protobuf',
      payload: { schemaFormat: 'application/vnd.google.protobuf;version=3', schema: proto },
    })
  })

  it('is valid whatever destinations and types are called', { timeout: 90_000 }, async () => {
    const name = fc.string({ unit: fc.constantFrom('a', 'Z', '0', '.', '/', '-', '_'), minLength: 1, maxLength: 12 })
    const destination = fc.record({
      name: fc.string({ unit: 'grapheme', minLength: 1, maxLength: 10 }).filter((name) => !/[?#{}]/.test(name)),
      transport: fc.constantFrom('amqp', 'kafka'),
      subject: fc.option(name, { nil: undefined }),
    })
    const types = fc.uniqueArray(
      name.map((rest) => `t${rest}`),
      { minLength: 1, maxLength: 4 },
    )
    await fc.assert(
      fc.asyncProperty(types, fc.array(destination, { minLength: 4, maxLength: 4 }), async (types, destinations) => {
        const definitions = types.map((type, index) =>
          defineRequest(type, { schema: z.object({}), reply: z.object({}), destination: destinations[index] }),
        )
        const keys = types.map((type) => type.replaceAll('/', '.'))
        fc.pre(new Set([...keys, ...keys.map((key) => `${key}.reply`)]).size === 2 * keys.length)
        const document = asyncapi({ info, servers, definitions })
        const read = await parsed(document)
        expect(read.operations().all()).toHaveLength(types.length)
        for (const operation of read.operations().all()) expect(operation.messages().all()).toHaveLength(1)
      }),
      { numRuns: 8 },
    )
  })
})

describe('what can not be described', () => {
  const Plain = defineEvent('plain', { schema: v.object({ a: v.number() }) })
  const refused = (options: Partial<AsyncApiOptions>) => () => asyncapi({ info, ...options })

  it.each<[string, () => unknown, RegExp]>([
    ['nothing', refused({}), /nothing to describe/],
    ['a schema whose library gives no JSON Schema', refused({ definitions: [Plain] }), /"plain": valibot offers none/],
    [
      'a schema that has no JSON form',
      refused({ definitions: [defineEvent('big', { schema: z.object({ n: z.bigint() }) })] }),
      /"big": BigInt cannot be represented/,
    ],
    [
      'two definitions of one type',
      refused({ definitions: [Booked, defineEvent('rental.booked', { schema: z.object({}) })], servers: {} }),
      /the message "rental.booked"/,
    ],
    ['the same operation twice', refused({ definitions: [Status, Status], servers }), /operation "send.status"/],
    [
      'a transport that no server carries',
      refused({ definitions: [Booked], servers: { one: { host: 'h', protocol: 'amqp' } } }),
      /transport "kafka", which no server carries/,
    ],
    [
      'a destination that is no address',
      refused({ definitions: [defineEvent('a', { schema: z.object({}), destination: { name: 'a?b' } })] }),
      /destination "a\?b"/,
    ],
    ['what is no definition', refused({ definitions: [{} as never] }), /no definition/],
  ])('%s is refused with its reason', (_, make, message) => {
    expect(make).toThrow(message)
    expect(make).toThrow(expect.objectContaining({ code: 'CONFIG' }))
  })

  it('is described by a function of the user', async () => {
    const jsonSchema = () => ({ type: 'object', properties: { a: { type: 'number' } } })
    const read = await parsed(asyncapi({ info, definitions: [Plain], jsonSchema }))
    expect(read.messages().get('plain')!.payload()!.properties()!.a!.type()).toBe('number')
  })
})

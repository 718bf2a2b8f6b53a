import avsc from 'avsc'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { createBus } from '../create-bus.ts'
import { defineEvent, defineRequest } from '../definition.ts'
import { CodecError, ConfigError } from '../errors.ts'
import { on, respond } from '../handler.ts'
import { memory } from '../memory/index.ts'
import { sample } from '../testing/sample.ts'
import { fromVersion } from '../upcast.ts'
import { avro } from './index.ts'

interface Booked {
  readonly ski: string
  readonly days: number
  readonly tags: readonly string[]
  readonly extra: Readonly<Record<string, number>>
  readonly note: string | null
  readonly parent?: Booked | null
}

const bookedSchema = {
  type: 'record',
  name: 'Booked',
  namespace: 'rental',
  fields: [
    { name: 'ski', type: 'string' },
    { name: 'days', type: 'int' },
    { name: 'tags', type: { type: 'array', items: 'string' } },
    { name: 'extra', type: { type: 'map', values: 'double' } },
    { name: 'note', type: ['null', 'string'], default: null },
    { name: 'parent', type: ['null', 'Booked'], default: null },
  ],
}
const topic = { kind: 'topic', name: 'rental.booked' } as const
const booked: Booked = { ski: 's-1', days: 3, tags: ['a', 'ü'], extra: { x: 1.5 }, note: null }
const Event = defineEvent('rental.booked', { ...avro<Booked>(bookedSchema), orderingKey: ({ ski }) => ski })

describe('avro', () => {
  it('travels through a bus as Avro reads and writes it, event, request and reply', async () => {
    const transport = memory()
    await using bus = createBus({ transport, source: '/test' })
    const Quote = defineRequest('quote', { ...avro<Booked>(bookedSchema), reply: avro<number>('long') })
    const seen: unknown[] = []
    await bus.subscribe('s', [
      on(Event, ({ ski, days, tags, extra, note, parent }, { message }) => {
        seen.push({ ski, days, tags, extra, note, parent, key: message.orderingKey })
      }),
      respond(Quote, ({ days }) => days * 1_500),
    ])
    await bus.publish(Event, booked)
    // another writer of the same schema
    const body = avsc.Type.forSchema(bookedSchema as avsc.Schema).toBuffer({ ...booked, note: 'theirs' })
    await Promise.all(
      transport.publish([sample(topic, 1, { type: 'rental.booked', contentType: 'avro/binary', body })]),
    )
    await expect.poll(() => seen.length).toBe(2)
    expect(seen).toEqual([
      { ...booked, parent: null, key: 's-1' },
      { ...booked, note: 'theirs', parent: null, key: undefined },
    ])
    expect(await bus.request(Quote, booked, { timeoutMs: 5_000 })).toBe(4_500)
  })

  it('takes a type of avsc, and refuses what is no schema', () => {
    const { codec } = avro<string>(avsc.Type.forSchema('string'))
    expect(codec.decode(codec.encode('x'))).toBe('x')
    expect(() => avro({ type: 'nothing-known' })).toThrow(ConfigError)
    expect(() => avro([])).toThrow(ConfigError)
  })

  it.each<[string, unknown, string[]]>([
    ['a field of another type', { ...booked, days: 'MARKER' }, ['days']],
    ['a field too large', { ...booked, days: 2 ** 40 }, ['days']],
    ['something deep', { ...booked, tags: ['a', 5], extra: { k: 'MARKER' } }, ['tags.1', 'extra.k']],
    ['a missing field', { ski: 'MARKER' }, ['days', 'tags', 'extra']],
    ['no record', 'MARKER', ['']],
  ])('refuses at publish %s, and tells the path, never the value', async (_, data, paths) => {
    await using bus = createBus({ transport: memory(), source: '/test' })
    const error: unknown = await bus.publish(Event, data as Booked).catch((thrown: unknown) => thrown)
    expect(error).toMatchObject({ code: 'VALIDATION', issues: paths.map((path) => ({ path })) })
    expect(`${(error as Error).message} ${JSON.stringify(error)}`).not.toContain('MARKER')
  })

  it('answers any bytes with what avsc makes of them, or a CodecError, and quotes none', () => {
    const { codec } = avro(bookedSchema)
    const good = Buffer.from(codec.encode({ ...booked, note: 'MARKER', parent: booked }))
    const cut = fc.nat(good.length).map((end) => good.subarray(0, end))
    const spoilt = fc.tuple(fc.nat(good.length - 1), fc.nat(255)).map(([at, value]) => {
      const bytes = Buffer.from(good)
      bytes[at] = value
      return bytes
    })
    fc.assert(
      fc.property(fc.oneof(fc.uint8Array({ maxLength: 100 }), cut, spoilt), (body) => {
        try {
          const data = codec.decode(body)
          expect(codec.decode(codec.encode(data))).toEqual(data)
        } catch (error) {
          expect(error).toBeInstanceOf(CodecError)
          expect((error as Error).message).toBe(`body of ${body.byteLength} bytes is no rental.Booked in Avro`)
        }
      }),
      { numRuns: 2_000 },
    )
  })

  it('reads all that avsc writes, of every type', () => {
    const everything = {
      type: 'record',
      name: 'All',
      fields: [
        'null',
        'boolean',
        'int',
        'long',
        'float',
        'double',
        'bytes',
        'string',
        { type: 'fixed', name: 'Id', size: 5 },
        { type: 'enum', name: 'Kind', symbols: ['A', 'B'] },
        { type: 'array', items: ['null', 'long', { type: 'map', values: 'bytes' }] },
        { type: 'map', values: { type: 'array', items: 'null' } },
        { type: 'long', logicalType: 'timestamp-millis' },
      ].map((type, index) => ({ name: `f${index}`, type })),
    }
    const type = avsc.Type.forSchema(everything as avsc.Schema)
    const { codec } = avro(type)
    for (let turn = 0; turn < 200; turn++) {
      const value: unknown = type.random()
      expect(type.isValid(codec.decode(codec.encode(value)))).toBe(true)
    }
    // blocks of other writers: a negative count, then the bytes of the block
    const counts = avro<number[]>({ type: 'array', items: 'int' }).codec
    expect(counts.decode(Uint8Array.of(0x03, 0x04, 0x02, 0x04, 0x02, 0x06, 0x00))).toEqual([1, 2, 3])
  })

  const many = Buffer.from([0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0x3f])
  const text = { type: 'map', values: 'long' }
  it.each<[string, object | string, Uint8Array]>([
    ['an array of 2^48 items', { type: 'array', items: 'string' }, many],
    ['an array of 2^48 times nothing', { type: 'array', items: 'null' }, many],
    ['a map of 2^48 entries', text, many],
    [
      'many blocks of nothing',
      { type: 'array', items: 'null' },
      Buffer.concat(Array.from({ length: 100 }, () => Buffer.of(0xa0, 0x9c, 0x01))),
    ],
    ['100,000 records in one another', bookedLink(), Buffer.alloc(100_000, 0x02)],
    ['a length beyond the end', 'string', Buffer.of(0xfe, 0xff, 0xff, 0x0f, 0x41)],
    ['a negative length', 'bytes', Buffer.of(0x01)],
    ['an endless number', 'long', Buffer.alloc(100, 0xff)],
    ['no such branch', ['null', 'string'], Buffer.of(0x08)],
    ['a negative branch', ['null', 'string'], Buffer.of(0x01)],
    ['no such symbol', { type: 'enum', name: 'E', symbols: ['A'] }, Buffer.of(0x04)],
    ['text that is no UTF-8', 'string', Buffer.of(0x04, 0xc3, 0x28)],
    ['bytes after the end', 'int', Buffer.of(0x02, 0x02)],
    [
      'a map that names a prototype',
      { type: 'map', values: text },
      Buffer.concat([Buffer.of(0x02, 0x12), Buffer.from('__proto__'), Buffer.of(0x02, 0x02, 0x78, 0x02, 0x00, 0x00)]),
    ],
  ])('gives up on %s at once', async (_, schema, body) => {
    const transport = memory()
    await using bus = createBus({ transport, source: '/test' })
    const Any = defineEvent('rental.booked', { ...avro(schema) })
    const handled: unknown[] = []
    await bus.subscribe('s', [on(Any, (data) => void handled.push(data))])
    await Promise.all(
      transport.publish([sample(topic, 1, { type: 'rental.booked', contentType: 'avro/binary', body })]),
    )
    await expect.poll(() => bus.stats.deadLettered, { timeout: 2_000 }).toBe(1)
    expect(handled).toEqual([])
    for await (const { reason, message } of bus.parked.list()) {
      expect(reason).toMatch(/^CodecError: body of \d+ bytes is no /)
      expect(Buffer.compare(message.body!, body)).toBe(0)
    }
  })

  it('reads an older version with the schema of that version', async () => {
    await using bus = createBus({ transport: memory(), source: '/test' })
    const field = (name: string, type: string) => ({ name, type })
    const Old = defineEvent('stay', {
      ...avro<{ days: number }>({ type: 'record', name: 'Stay', fields: [field('days', 'int')] }),
    })
    const New = defineEvent('stay', {
      ...avro<{ place: string; hours: number }>({
        type: 'record',
        name: 'Stay',
        fields: [field('place', 'string'), field('hours', 'int')],
      }),
      version: 2,
      upcast: { 1: fromVersion(Old, ({ days }) => ({ place: 'unknown', hours: days * 24 })) },
    })
    const seen: unknown[] = []
    await bus.subscribe('s', [on(New, ({ place, hours }) => void seen.push([place, hours]))])
    await bus.publish(Old, { days: 2 })
    await expect.poll(() => seen).toEqual([['unknown', 48]])
  })
})

function bookedLink(): object {
  return { type: 'record', name: 'Link', fields: [{ name: 'next', type: ['null', 'Link'] }] }
}

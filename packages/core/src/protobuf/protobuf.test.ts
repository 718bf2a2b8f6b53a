import { create, toBinary, type MessageInitShape } from '@bufbuild/protobuf'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { createBus } from '../create-bus.ts'
import { defineEvent, defineRequest } from '../definition.ts'
import { CodecError } from '../errors.ts'
import { on, respond } from '../handler.ts'
import { memory } from '../memory/index.ts'
import { shared } from '../shared.ts'
import { sample } from '../testing/sample.ts'
import { fromVersion } from '../upcast.ts'
import { BookedSchema, PriceSchema } from './fixtures/rental-pb.ts'
import { protobuf } from './index.ts'

const topic = { kind: 'topic', name: 'rental.booked' } as const
const Booked = defineEvent('rental.booked', { ...protobuf(BookedSchema), orderingKey: ({ skiId }) => skiId })
const Quote = defineRequest('quote', { ...protobuf(BookedSchema), reply: protobuf(PriceSchema) })

describe('protobuf', () => {
  it('travels through a bus as protobuf, and a request and its reply are messages of their own', async () => {
    const transport = memory()
    await using bus = createBus({ transport: shared(transport), source: '/test' })
    const seen: unknown[] = []
    await transport.subscribe(
      {
        service: 'raw',
        sources: [topic],
        mode: 'ordered',
        ackBefore: false,
        maxOpen: 1,
        maxOpenBytes: 1e6,
        start: 'earliest',
      },
      async ({ message: { contentType, body } }) => {
        seen.push(contentType, Buffer.from(body!).equals(toBinary(BookedSchema, create(BookedSchema, data))))
        return { outcome: 'ack' }
      },
    )
    await bus.subscribe('s', [
      on(Booked, ({ skiId, cents, notes, parent }, { message }) => {
        seen.push({ skiId, cents, notes, parent: parent?.days, key: message.orderingKey })
      }),
      respond(Quote, ({ days }) => ({ cents: BigInt(days) * 1_500n })),
    ])
    const data: MessageInitShape<typeof BookedSchema> = { skiId: 's-1', cents: 2n ** 62n, parent: { days: 7 } }
    await bus.publish(Booked, data)
    await expect.poll(() => seen.length).toBe(3)
    expect(seen).toEqual(
      expect.arrayContaining([
        'application/protobuf',
        true,
        { skiId: 's-1', cents: 2n ** 62n, notes: [], parent: 7, key: 's-1' },
      ]),
    )
    expect((await bus.request(Quote, { days: 2 }, { timeoutMs: 5_000 })).cents).toBe(3_000n)
    await transport[Symbol.asyncDispose]()
  })

  it.each<[string, unknown, RegExp]>([
    ['a field of another type', { days: 'MARKER' }, / rental\.Booked\.days$/],
    ['a field of a message within', { parent: { days: 1e12 } }, / rental\.Booked\.days$/],
    ['no object', 'MARKER', /must be an object/],
    ['another message', create(PriceSchema, { cents: 1n }), /must be a rental\.Booked/],
    ['a list of something else', { notes: 5 }, / rental\.Booked\.notes$/],
    ['no message where one should be', { parent: 'MARKER' }, / rental\.Booked\.parent$/],
    ['a list in a message within', { parent: { notes: { MARKER: 1 } } }, / rental\.Booked\.notes$/],
    ['101 messages in one another', linked(101), / rental\.Booked$/],
    ['over 16 MiB', { skiId: 'MARKER'.repeat(3_000_000) }, /over maxBodyBytes/],
  ])('refuses at publish %s, and tells the field, never the value', async (_, data, words) => {
    await using bus = createBus({ transport: memory(), source: '/test' })
    const error: unknown = await bus.publish(Booked, data as never).catch((thrown: unknown) => thrown)
    expect(error).toMatchObject({ code: expect.stringMatching(/^(CODEC|VALIDATION)$/) as string })
    expect((error as Error).message).toMatch(words)
    expect(`${(error as Error).message} ${String((error as Error).cause)}`).not.toContain('MARKER')
  })

  it('answers any bytes with a message or a CodecError, and quotes none', () => {
    const { codec } = protobuf(BookedSchema)
    const good = Buffer.from(codec.encode({ skiId: 'MARKER', days: 3, parent: { notes: ['MARKER'] } }))
    const cut = fc.nat(good.length).map((end) => good.subarray(0, end))
    const spoilt = fc.tuple(fc.nat(good.length - 1), fc.nat(255)).map(([at, value]) => {
      const bytes = Buffer.from(good)
      bytes[at] = value
      return bytes
    })
    fc.assert(
      fc.property(fc.oneof(fc.uint8Array({ maxLength: 100 }), cut, spoilt), (body) => {
        try {
          expect(codec.decode(body)).toMatchObject({ $typeName: 'rental.Booked' })
        } catch (error) {
          expect(error).toBeInstanceOf(CodecError)
          expect((error as Error).message).toBe(`body of ${body.byteLength} bytes is no rental.Booked in protobuf`)
        }
      }),
      { numRuns: 2_000 },
    )
  })

  it.each<[string, () => Uint8Array]>([
    ['100,000 messages in one another', () => nested(100_000)],
    ['a length beyond the end', () => Uint8Array.of(0x0a, 0xff, 0xff, 0xff, 0xff, 0x0f)],
    ['an endless number', () => new Uint8Array(100).fill(0xff)],
    ['text that is no UTF-8', () => Uint8Array.of(0x0a, 0x02, 0xc3, 0x28)],
    ['JSON', () => new TextEncoder().encode('{"skiId":"MARKER"}')],
  ])('gives up on %s at once, keeping its bytes', async (_, make) => {
    const transport = memory()
    await using bus = createBus({ transport, source: '/test' })
    const body = make()
    await bus.subscribe('s', [on(Booked, () => undefined)])
    await Promise.all(
      transport.publish([sample(topic, 1, { type: 'rental.booked', contentType: 'application/protobuf', body })]),
    )
    await expect.poll(() => bus.stats.deadLettered).toBe(1)
    for await (const { reason, message } of bus.parked.list()) {
      expect(reason).toMatch(/^CodecError: body of \d+ bytes is no rental\.Booked/)
      expect(Buffer.compare(message.body!, body)).toBe(0)
    }
  })

  it('reads what it writes, 100 messages in one another', () => {
    const { codec } = protobuf(BookedSchema)
    expect(codec.decode(codec.encode(linked(100)))).toMatchObject({ parent: { parent: {} } })
  })

  it('is upcast from a version that was another message', async () => {
    await using bus = createBus({ transport: memory(), source: '/test' })
    const Old = defineEvent('price', { ...protobuf(PriceSchema) })
    const New = defineEvent('price', {
      ...protobuf(BookedSchema),
      version: 2,
      upcast: { 1: fromVersion(Old, ({ cents }) => ({ cents, days: 1 })) },
    })
    const seen: unknown[] = []
    await bus.subscribe('s', [on(New, ({ cents, days }) => void seen.push([cents, days]))])
    await bus.publish(Old, { cents: 5n })
    await expect.poll(() => seen).toEqual([[5n, 1]])
  })
})

function linked(levels: number): object {
  let data: object = { skiId: 'MARKER' }
  for (let level = 1; level < levels; level++) data = { parent: data }
  return data
}

/** Field 5 of each holds the next: lengths are written from the inside out. */
function nested(levels: number): Uint8Array {
  const heads: Buffer[] = []
  let length = 0
  for (let level = 0; level < levels; level++) {
    const head = [0x2a]
    for (let rest = length; ; rest >>>= 7) {
      head.push(rest > 0x7f ? (rest & 0x7f) | 0x80 : rest)
      if (rest <= 0x7f) break
    }
    heads.push(Buffer.from(head))
    length += head.length
  }
  return Buffer.concat(heads.reverse())
}

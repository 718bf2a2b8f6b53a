import { type } from 'arktype'
import * as v from 'valibot'
import { describe, expectTypeOf, it } from 'vitest'
import { z } from 'zod'
import type { Booked } from './protobuf/fixtures/rental-pb.ts'
import { BookedSchema, PriceSchema } from './protobuf/fixtures/rental-pb.ts'
import { avro } from './avro/index.ts'
import { defineEvent, defineRequest, fromVersion, on, respond, type Bus, type DataIn, type DataOut } from './index.ts'
import { protobuf } from './protobuf/index.ts'

declare const bus: Bus
const V1 = defineEvent('rental.booked', { schema: z.object({ days: z.string().transform(Number) }) })

describe('definitions', () => {
  it('follow the schema of any library', () => {
    const Valibot = defineEvent('v', {
      schema: v.object({ days: v.pipe(v.string(), v.transform(Number)), note: v.optional(v.string()) }),
      orderingKey: ({ days, note }) => note ?? days,
    })
    expectTypeOf<DataIn<typeof Valibot>>().toEqualTypeOf<{ days: string; note?: string | undefined }>()
    expectTypeOf<DataOut<typeof Valibot>>().toEqualTypeOf<{ days: number; note?: string | undefined }>()
    const Ark = defineEvent('a', { schema: type({ days: 'string.numeric.parse' }) })
    expectTypeOf<DataIn<typeof Ark>>().toEqualTypeOf<{ days: string }>()
    expectTypeOf<DataOut<typeof Ark>>().toEqualTypeOf<{ days: number }>()
    // @ts-expect-error an ordering key is text
    defineEvent('k', { schema: z.object({ days: z.number() }), orderingKey: ({ days }) => days })
    // @ts-expect-error no such field
    defineEvent('k', { schema: z.object({ days: z.number() }), dedupeKey: ({ nights }) => nights })
  })

  it('take undefined where an option may be left out', () => {
    const options = { version: undefined, codec: undefined, ttlMs: undefined, upcast: undefined, mustRoute: undefined }
    defineEvent('u', { schema: z.object({}), ...options })
  })
})

describe('upcasters', () => {
  it('make the input side of the newer version', () => {
    const schema = z.object({ hours: z.string().transform(Number) })
    defineEvent('rental.booked', {
      version: 2,
      schema,
      upcast: { 1: (old: { days: number }) => ({ hours: `${old.days}` }) },
    })
    defineEvent('rental.booked', {
      version: 2,
      schema,
      upcast: {
        1: (old) => {
          expectTypeOf(old).toBeUnknown()
          return { hours: '1' }
        },
      },
    })
    defineEvent('rental.booked', {
      version: 2,
      schema,
      upcast: {
        1: fromVersion(V1, (old) => {
          expectTypeOf(old).toEqualTypeOf<{ days: number }>()
          return { hours: String(old.days * 24) }
        }),
      },
    })
    // @ts-expect-error the output side is not what travels
    defineEvent('rental.booked', { version: 2, schema, upcast: { 1: () => ({ hours: 1 }) } })
    const wrong = fromVersion(V1, ({ days }) => ({ hours: days }))
    // @ts-expect-error the same, with the older definition
    defineEvent('rental.booked', { version: 2, schema, upcast: { 1: wrong } })
    // @ts-expect-error versions are numbers
    defineEvent('rental.booked', { version: 2, schema, upcast: { one: () => ({ hours: '1' }) } })
  })

  it('have a downcast for the answer', () => {
    const one = { schema: z.object({}), reply: z.object({ cents: z.number() }), version: 2 }
    defineRequest('quote', {
      ...one,
      upcast: { 1: () => ({}) },
      downcast: { 1: ({ cents }) => ({ euros: cents / 100 }) },
    })
    // @ts-expect-error no such field of the answer
    defineRequest('quote', { ...one, upcast: { 1: () => ({}) }, downcast: { 1: ({ euros }) => euros } })
  })
})

describe('codecs', () => {
  it('of protobuf give what create takes to senders, and messages to handlers', () => {
    const Event = defineEvent('rental.booked', { ...protobuf(BookedSchema), orderingKey: ({ skiId }) => skiId })
    on(Event, (booked) => void expectTypeOf(booked).toEqualTypeOf<Booked>())
    void bus.publish(Event, { skiId: 's', parent: { days: 1 } })
    // @ts-expect-error an int64 is a bigint
    void bus.publish(Event, { cents: 1 })
    const Quote = defineRequest('quote', { ...protobuf(BookedSchema), reply: protobuf(PriceSchema) })
    respond(Quote, ({ days }) => ({ cents: BigInt(days) }))
    // @ts-expect-error the reply is a price
    respond(Quote, ({ days }) => ({ euros: days }))
    expectTypeOf(bus.request(Quote, {}, { timeoutMs: 1 }))
      .resolves.toHaveProperty('cents')
      .toEqualTypeOf<bigint>()
  })

  it('of Avro give the type that is told, and nothing known otherwise', () => {
    interface Stay {
      readonly days: number
    }
    const Event = defineEvent('stay', { ...avro<Stay>({ type: 'record', name: 'Stay', fields: [] }) })
    on(Event, (stay) => void expectTypeOf(stay).toEqualTypeOf<Stay>())
    // @ts-expect-error another type
    void bus.publish(Event, { days: '1' })
    on(defineEvent('any', { ...avro('string') }), (data) => void expectTypeOf(data).toBeUnknown())
    const Count = defineRequest('count', { schema: z.object({}), reply: avro<number>('long') })
    expectTypeOf(bus.request(Count, {}, { timeoutMs: 1 })).resolves.toEqualTypeOf<number>()
  })
})

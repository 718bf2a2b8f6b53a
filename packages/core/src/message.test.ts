import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { defineCommand, defineEvent } from './definition.ts'
import { CodecError, ConfigError, ValidationError } from './errors.ts'
import { decode, encode, messageInfo } from './message.ts'
import { systemPorts, uuidv7 } from './ports.ts'
import type { WireMessage } from './wire-message.ts'

const context = { source: '/tests', ports: systemPorts }
const Booked = defineEvent('rental.booked', {
  schema: z.object({ ski: z.string(), days: z.number().int(), note: z.unknown().optional() }),
  version: 2,
  orderingKey: ({ ski }) => ski,
  ttlMs: 1_000,
})

describe('a message on its way', () => {
  it('comes back as it was, whatever the data', () => {
    fc.assert(
      fc.property(fc.string(), fc.integer(), fc.jsonValue(), (ski, days, note) => {
        const message = encode(Booked, { ski, days, note }, {}, context) as WireMessage
        expect(decode(Booked, message)).toEqual(JSON.parse(JSON.stringify({ ski, days, note })))
        expect(message).toMatchObject({ type: 'rental.booked.v2', orderingKey: ski, attributes: { source: '/tests' } })
        expect(messageInfo(Booked, message)).toMatchObject({ type: 'rental.booked', version: 2 })
      }),
    )
  })

  it('tells the path of what does not fit, and never the value', () => {
    const wrong = { ski: 'secret-ski', days: 'secret-days' }
    const refuse = () => encode(Booked, wrong as never, {}, context)
    expect(refuse).toThrow(ValidationError)
    try {
      void refuse()
    } catch (error) {
      expect((error as ValidationError).issues).toMatchObject([{ path: 'days' }])
      expect(String(error)).not.toContain('secret')
    }
  })

  it('refuses bytes that are no JSON, or of another kind, without quoting them', () => {
    const message = encode(Booked, { ski: 's', days: 1 }, {}, context) as WireMessage
    for (const body of ['{"secret":', '\u{feff}secret', '']) {
      const refuse = () => decode(Booked, { ...message, body: new TextEncoder().encode(body) })
      expect(refuse).toThrow(CodecError)
      expect(refuse).not.toThrow(/secret/)
    }
    expect(() => decode(Booked, { ...message, body: Uint8Array.of(0xff, 0xfe) })).toThrow(CodecError)
    expect(() => decode(Booked, { ...message, contentType: 'application/avro' })).toThrow(/application\/avro/)
    expect(() => decode(Booked, { ...message, body: null })).toThrow(ValidationError)
  })

  it('is refused when no time is left of its deadline', () => {
    const data = { ski: 's', days: 1 }
    const failing = (ttlMs: number) => () => encode(Booked, data, { ttlMs }, context)
    for (const ttlMs of [0, -1, -Infinity]) expect(failing(ttlMs)).toThrow(expect.objectContaining({ code: 'EXPIRED' }))
    expect(failing(NaN)).toThrow(ConfigError)
    expect(failing(1)).not.toThrow()
  })

  it('leaves prototypes alone', () => {
    const Plain = defineCommand('plain', { schema: z.record(z.string(), z.unknown()) })
    const message = encode(Plain, {}, {}, context) as WireMessage
    const body = new TextEncoder().encode('{"__proto__":{"polluted":1},"constructor":{"prototype":{"polluted":1}}}')
    void decode(Plain, { ...message, body })
    expect(({} as { polluted?: unknown }).polluted).toBeUndefined()
    expect(Object.getPrototypeOf(message.headers)).toBeNull()
  })

  it.each(['x-death', 'x-delivery-count', 'ce_id', 'ce-type', 'cloudEvents:id', 'waybill-failures', 'a\nb', ''])(
    'refuses the header %j, which would be taken for somebody else’s',
    (name) => {
      expect(() => encode(Booked, { ski: 's', days: 1 }, { headers: { [name]: 'x' } }, context)).toThrow(ConfigError)
    },
  )

  it('refuses a delivery time or a priority together with an ordering key', () => {
    const data = { ski: 's', days: 1 }
    expect(() => encode(Booked, data, { deliverAt: new Date() }, context)).toThrow(ConfigError)
    expect(() => encode(Booked, data, { priority: 1 }, context)).toThrow(ConfigError)
  })
})

describe('definitions', () => {
  it.each(['', 'a b', '-x', 'x'.repeat(201), 'rental.v2'])('refuse the type %j', (type) => {
    expect(() => defineEvent(type, { schema: z.object({}) })).toThrow(ConfigError)
  })
})

describe('uuidv7', () => {
  it('grows with time, and never repeats', () => {
    const ids = Array.from({ length: 1_000 }, (_, ms) => uuidv7(1_700_000_000_000 + ms))
    expect(ids).toEqual([...ids].sort())
    expect(new Set(Array.from({ length: 1_000 }, () => uuidv7(1))).size).toBe(1_000)
    expect(ids[0]).toMatch(/^[\da-f]{8}-[\da-f]{4}-7[\da-f]{3}-[89ab][\da-f]{3}-[\da-f]{12}$/)
  })
})

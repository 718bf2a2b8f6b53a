import { createBus, decode, defineEvent, encode, on, systemPorts, type WireMessage } from '@waybill/core'
import { memory } from '@waybill/core/memory'
import { avro } from '@waybill/core/avro'
import { describe, expect, it } from 'vitest'
import { BookedInAvro, BookedInProtobuf } from './codecs.ts'
import { framed } from './framed-codec.ts'
import { bill, RentalBooked, RentalBookedV1 } from './versions.ts'

const booked = { rentalId: 'r-1', skiId: 's-1', days: 2 }

describe('the definitions of the docs', () => {
  it('read the older version of a message beside the newer', async () => {
    await using bus = createBus({ transport: memory(), source: '/docs' })
    const lines: string[] = []
    await bill(bus, (line) => lines.push(line))
    await bus.publish(RentalBookedV1, { rentalId: 'r-1', name: 'Ada King Lovelace', days: 2 })
    await bus.publish(RentalBooked, { rentalId: 'r-2', first: 'Grace', last: 'Hopper', hours: 5 })
    await expect.poll(() => lines.length).toBe(2)
    expect(lines.sort()).toEqual(['Hopper: 5 hours (version 2)', 'King Lovelace: 48 hours (version 1)'])
  })

  it('travel as protobuf and as Avro', async () => {
    await using bus = createBus({ transport: memory(), source: '/docs' })
    const seen: unknown[] = []
    await bus.subscribe('s', [
      on(BookedInProtobuf, ({ rentalId, skiId, days }) => void seen.push({ rentalId, skiId, days })),
      on(BookedInAvro, ({ rentalId, skiId, days }) => void seen.push({ rentalId, skiId, days })),
    ])
    await bus.publish(BookedInProtobuf, booked)
    await bus.publish(BookedInAvro, booked)
    await expect.poll(() => seen).toEqual([booked, booked])
  })

  it('carry the framing of a registry', () => {
    const { schema, codec } = avro<string>('string')
    const Framed = defineEvent('framed', { schema, codec: framed(codec, 7) })
    const message = encode(Framed, 'x', {}, { source: '/docs', ports: systemPorts }) as WireMessage
    expect([...message.body!]).toEqual([0, 0, 0, 0, 7, 2, 120])
    expect(decode(Framed, message)).toBe('x')
    const Other = defineEvent('framed', { schema, codec: framed(codec, 8) })
    expect(() => decode(Other, message)).toThrow(/schema 7, not of 8/)
    expect(() => decode(Other, { ...message, body: Uint8Array.of(1) })).toThrow(/schema none/)
  })
})

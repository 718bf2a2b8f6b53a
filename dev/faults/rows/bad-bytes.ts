import { setTimeout as pause } from 'node:timers/promises'
import type { ParkedMessage, WireMessage } from '@waybill/core'
import { openCarrier } from './carrier.ts'
import { consume, placedIn, produce, relay, serviceIn } from './parts.ts'
import { ensure, verdictOf, type Scenario } from './scenario.ts'
import { PLANNED } from './verdict.ts'
import { openWorld } from './world.ts'

const OPERATIONS = 60
const utf8 = (text: string) => new TextEncoder().encode(text)
const order = (fields: string) => `{"op":"bad","key":1,"number":1${fields}}`

/** Bodies that no handler may get, with what the reason of their parking has to say. */
const BAD: readonly (readonly [body: Uint8Array, reason: RegExp])[] = [
  [utf8('{"op":'), /^CodecError/],
  [utf8(''), /^CodecError/],
  [utf8('\0'), /^CodecError/],
  [Uint8Array.of(0xff, 0xfe, 0x00, 0x22), /^CodecError/],
  [Uint8Array.of(0x22, 0xc3, 0x28, 0x22), /^CodecError/],
  [utf8(`${'['.repeat(100_000)}${']'.repeat(100_000)}`), /^CodecError.*deeper/],
  [utf8(order(',"op":5')), /^ValidationError.*op/],
  [utf8('{"op":1,"key":"1"}'), /^ValidationError/],
  [utf8('"text"'), /^ValidationError/],
  [utf8('null'), /^ValidationError/],
  [utf8('{"__proto__":{"op":"x"}}'), /^ValidationError/],
]

/** Bytes of every kind, published beside the outbox's: dead letters as they came, with their reason; all else flows. */
export const badBytes: Scenario = {
  row: 39,
  what: 'bodies that are no JSON, no UTF-8, too deep, or of another shape',
  async run(at) {
    await using world = await openWorld(at, { operations: OPERATIONS, window: 20 })
    const { place, pool } = world
    await using _consumer = await consume(place, () => {})
    await using _relay = relay(place, () => {})
    await using transport = openCarrier(place.carrier, pool, place.broker)
    const { destination } = placedIn(place)
    const messages = BAD.map(([body], index): WireMessage => ({
      id: `${PLANNED}${index}`,
      type: 'order.placed',
      destination,
      contentType: 'application/json',
      body,
      attributes: { source: '/elsewhere', time: new Date().toISOString() },
      headers: Object.create(null) as Record<string, string>,
      // half of them among the keys of good ones
      ...(index % 2 === 0 && { orderingKey: String(1 + (index % 5)) }),
    }))
    const produced = produce(place, () => {})
    await Promise.all(transport.publish(messages))
    await produced
    const verdict = await verdictOf(world)
    const parked = new Map<string, ParkedMessage>()
    for (const untilMs = performance.now() + 30_000; parked.size < BAD.length && performance.now() < untilMs;) {
      for await (const letter of transport.parked!.list({ service: serviceIn(place) })) {
        parked.set(letter.message.id, letter)
      }
      await pause(100)
    }
    for (const [index, [body, reason]] of BAD.entries()) {
      const letter = parked.get(`${PLANNED}${index}`)
      ensure(letter !== undefined, `body ${index} is no dead letter`)
      ensure(reason.test(letter.reason), `body ${index} is one for the reason ${letter.reason}`)
      ensure(Buffer.compare(letter.message.body ?? utf8('none'), body) === 0, `body ${index} was changed`)
    }
    return { verdict, note: `${parked.size} dead letters` }
  },
}

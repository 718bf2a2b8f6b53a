import { setTimeout as pause } from 'node:timers/promises'
import { createOutbox } from '@waybill/outbox-pg'
import { openCarrier } from './carrier.ts'
import { ChildPart } from './child-part.ts'
import { placedIn, produce, relay, serviceIn } from './parts.ts'
import { ensure, verdictOf, type Scenario } from './scenario.ts'
import { PLANNED } from './verdict.ts'
import { openWorld } from './world.ts'

const OPERATIONS = 60
const POISON = 'poison'
const MOST_STARTS = 15

/** A message that ends its process each time: parked after a few starts, and no neighbour pays. */
export const consumerPoison: Scenario = {
  row: 38,
  what: 'a message that ends its process each time it is handled',
  // Kafka counts no attempts: there it comes again each time, as docs/what-happens-when.md says
  carriers: ['postgres', 'amqp'],
  async run(at) {
    await using world = await openWorld(at, { operations: OPERATIONS, window: 20 })
    const { place, pool } = world
    await using _relay = relay(place, () => {})
    await produce({ ...place, operations: OPERATIONS / 2 }, () => {})
    const outbox = createOutbox({ db: pool, source: '/orders', schema: place.log, transport: 'carrier' })
    await outbox.transaction(async (_trx, messages) => {
      messages.publish(placedIn(place), { op: POISON, key: 1, number: 0 }, { id: `${PLANNED}${POISON}` })
    })
    await produce(place, () => {})
    await using transport = openCarrier(place.carrier, pool, place.broker)
    const parked = async () => {
      const reasons: string[] = []
      for await (const { reason } of transport.parked!.list({ service: serviceIn(place) })) reasons.push(reason)
      return reasons
    }
    let kills = 0
    let over = false
    const supervised = (async () => {
      while (!over && kills < MOST_STARTS) {
        await using child = new ChildPart('consumer', place, { env: { POISON } })
        while (!over && child.running) await pause(20)
        if (!over) kills++
      }
    })()
    let reasons: string[] = []
    while (reasons.length === 0 && kills < MOST_STARTS) {
      await pause(200)
      reasons = await parked()
    }
    const verdict = await verdictOf(world)
    over = true
    await supervised
    ensure(reasons.length === 1, `parked ${reasons.length} times after ${kills} starts`)
    return { kills, verdict, note: `parked after ${kills} starts: ${reasons[0]!.slice(0, 80)}` }
  },
}

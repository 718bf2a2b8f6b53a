import { createOutbox } from '@waybill/outbox-pg'
import { consume, placedIn, produce, relay } from './parts.ts'
import { ensure, verdictOf, type Scenario } from './scenario.ts'
import { openWorld } from './world.ts'

const OPERATIONS = 60
const TRIES = 10

/** Messages over the outbox's limits, between good ones: refused inside their transaction, which rolls back whole. */
export const oversize: Scenario = {
  row: 40,
  what: 'messages over the limit: refused inside the transaction',
  carriers: ['postgres'],
  quick: true,
  async run(at) {
    await using world = await openWorld(at, { operations: OPERATIONS, window: 20 })
    const { place, pool } = world
    await using _consumer = await consume(place, () => {})
    await using _relay = relay(place, () => {})
    const produced = produce(place, () => {})
    const outbox = createOutbox({ db: pool, source: '/orders', schema: place.log, transport: 'carrier' })
    for (let turn = 0; turn < TRIES; turn++) {
      const refused = await outbox
        .transaction(async (trx, messages) => {
          const large = { op: `large ${turn} ${'x'.repeat(1_048_577)}`, key: 1, number: 0 }
          await trx.query(`insert into "${place.log}".orders values ($1, 1, 0)`, [`large ${turn}`])
          const next = { ...large, op: `small ${turn}` }
          messages.publish(placedIn(place), next)
          if (turn % 2 === 0) messages.publish(placedIn(place), large)
          else await outbox.in(trx).publish(placedIn(place), large)
        })
        .then(
          () => undefined,
          (error: { code?: string; message: string }) => error,
        )
      ensure(refused?.code === 'PUBLISH' && /maxBodyBytes/.test(refused.message), `not refused: ${refused?.message}`)
    }
    await produced
    return { verdict: await verdictOf(world) }
  },
}

import { createBus } from '@waybill/core'
import { openCarrier } from './carrier.ts'
import { consume, placedIn } from './parts.ts'
import { verdictOf, type Scenario } from './scenario.ts'
import { openWorld } from './world.ts'

const IDS = 40
const COPIES = 3
const FAILING = 0.3

/** Two readers of one service's inbox get each copy of each id at the same time, and roll back now and then. */
export const sameId: Scenario = {
  row: 12,
  what: 'two readers get copies of one id at once, and roll back now and then',
  quick: true,
  async run({ seed, ...at }) {
    await using world = await openWorld(at, { operations: IDS, window: 1 })
    const { place, pool } = world
    await using parts = new AsyncDisposableStack()
    for (const name of ['one', 'two']) parts.use(await consume(place, () => {}, { name, failing: FAILING }))
    const bus = parts.use(createBus({ transport: openCarrier(place.carrier, pool, place.broker), source: '/orders' }))
    const Placed = placedIn(place)
    for (let number = 1; number <= IDS; number++) {
      const op = `${seed}/${number}`
      await pool.query(`insert into "${place.log}".orders values ($1, $2, 1)`, [op, number])
      // each under a key of its own: nothing but the inbox keeps the copies apart
      const copies = Array.from({ length: COPIES }, () =>
        bus.publish(Placed, { op, key: number, number: 1 }, { id: op }),
      )
      await Promise.all(copies)
    }
    return { verdict: await verdictOf(world) }
  },
}

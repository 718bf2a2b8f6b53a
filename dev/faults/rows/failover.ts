import { execFileSync } from 'node:child_process'
import { renameSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { moveReader } from '../../../packages/outbox-pg/src/log/move-reader.ts'
import { startPostgres, type Server } from '../../servers/index.ts'
import { seededRandom } from '../seeded-random.ts'
import { consume, produce, relay } from './parts.ts'
import { committed, ensure, produceUntil, verdictOf, type Scenario } from './scenario.ts'
import { openWorld } from './world.ts'

const BEHIND = 100

/**
 * The database comes back as it was a hundred operations ago, as a replica does that had not heard of them. What it knows
 * is the truth then, and each operation that it has takes effect. Where effects are in the same database behind a broker,
 * what they were made of is acked and gone: the relay is set back before it runs again, and the inbox takes the copies.
 */
export const failover: Scenario = {
  row: 'failover',
  what: 'PostgreSQL fails over to a server that is a hundred operations behind',
  async run({ seed, ...at }) {
    const random = seededRandom(seed * 1_000 + 100)
    await using server = await startPostgres({ direct: true })
    await using world = await openWorld({ ...at, url: server.url }, { operations: 0, window: 20 })
    const { place } = world
    await using _consumer = await consume(place, () => {})
    await using relays = new AsyncDisposableStack()
    let running: AsyncDisposable | undefined = relay(place, () => {})
    relays.defer(() => running?.[Symbol.asyncDispose]())
    const data = (await world.pool.query('show data_directory')).rows[0].data_directory as string
    const behind = join(data, '..', 'behind')

    // in the middle of everything: some of it is committed, sent, handled and settled, some not yet
    let over = false
    const writing = produceUntil(world, () => over)
    while ((await committed(world)) < 20 + random() * 60) await world.pool.query('select pg_sleep(0.01)')
    still(server, data, behind)
    over = true
    await writing
    const known = await committed(world)
    await produce({ ...place, operations: known + BEHIND }, () => {})
    const before = await verdictOf(world)

    if (place.carrier.name !== 'postgres') {
      await running[Symbol.asyncDispose]()
      running = undefined
    }
    await server.kill()
    rmSync(data, { recursive: true })
    renameSync(behind, data)
    await server.restart()
    if (place.carrier.name !== 'postgres') {
      await moveReader(world.pool, `"${place.log}"`, 'relay/carrier', 'earliest')
      running = relay(place, () => {})
    }
    const left = await committed(world)
    ensure(left <= before.committed - BEHIND, `${left} of ${before.committed} operations were left`)
    await produce({ ...place, operations: left + BEHIND }, () => {})
    return {
      kills: 1,
      verdict: await verdictOf(world),
      note: `${before.committed} operations committed before, ${left} after`,
    }
  },
}

/** Its data as they are at this moment: what starts on the copy recovers, as after a cut of its power. */
function still(server: Server, data: string, copy: string): void {
  server.freeze()
  try {
    // with the owner, whose files alone the server takes
    execFileSync('cp', ['-a', data, copy])
  } finally {
    server.resume()
  }
  // names the process that still runs
  rmSync(join(copy, 'postmaster.pid'))
}

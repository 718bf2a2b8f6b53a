import { setTimeout as pause } from 'node:timers/promises'
import { rolesSql } from '@waybill/outbox-pg'
import { seededRandom } from '../seeded-random.ts'
import { consume, relay } from './parts.ts'
import { ensure, verdictOf, type Scenario } from './scenario.ts'
import { openWorld, type World } from './world.ts'
import { writeOn } from './writers.ts'

/** The lease can be had, and where the reader stands can't be stored. */
const LEASE_ALONE = 'update (token, leased_by, leased_until, seen_at, settings)'

/** The relay may publish and not note it, then not even take its lease. */
export const checkpointRefused: Scenario = {
  row: 7,
  what: 'what was published can not be noted for 5 s, then no lease be had: the relay tries at growing intervals',
  quick: true,
  async run({ seed, faultMs = 5_000, ...at }) {
    const random = seededRandom(seed * 1_000 + 7)
    await using world = await openWorld(at, { operations: 0, window: 20 })
    const { place } = world
    await using role = await relayRole(world)
    await using _consumer = await consume(place, () => {})
    await using _relay = relay({ ...place, url: role.url }, () => {})
    let over = false
    const fault = (async () => {
      await role.stored()
      const before = await role.leases()
      await role.may(LEASE_ALONE)
      await pause(faultMs)
      const tries = (await role.leases()) - before
      await role.may('update')
      const resumedMs = await role.stored()
      // 50 ms, doubled up to 5 s, of which half is left to chance
      const most = 2 + Math.log2(faultMs / 50)
      ensure(tries >= 2 && tries <= most, `${tries} leases were taken in ${faultMs} ms, at most ${most} are no loop`)
      await role.may('select')
      await pause(faultMs)
      await role.may('update')
      await role.stored()
      return { tries, resumedMs }
    })()
    const [{ tries, resumedMs }] = await Promise.all([
      fault.finally(() => (over = true)),
      writeOn(place, random, () => over),
    ])
    return {
      verdict: await verdictOf(world),
      note: `${tries} leases while it could not note, resumed in ${resumedMs} ms`,
    }
  },
}

/** A login with the rights of a relay and of a publisher on the carrier, and what it did. */
async function relayRole({ place: { url, log, broker }, pool }: World) {
  const name = `${log}_relay`
  const password = crypto.randomUUID()
  await pool.query(rolesSql({ schema: log, writer: name, relay: name, consumer: name }))
  await pool.query(rolesSql({ schema: broker, writer: name, relay: name, consumer: name }))
  await pool.query(`alter role "${name}" login password '${password}'`)
  const own = new URL(url)
  own.username = name
  own.password = password
  const read = async (column: string) =>
    Number((await pool.query(`select max(${column}) as it from "${log}".reader`)).rows[0]?.it)
  return {
    url: own.href,
    /** What it may do to the reader's row, beside reading it. */
    async may(right: string) {
      const table = `"${log}".reader`
      await pool.query(`revoke update on ${table} from "${name}"; grant ${right} on ${table} to "${name}"`)
    },
    leases: () => read('token'),
    /** Resolves when a position was stored, with how long that took. */
    async stored() {
      const startedMs = performance.now()
      for (const before = await read('position'); (await read('position')) <= before;) await pause(20)
      return Math.round(performance.now() - startedMs)
    },
    async [Symbol.asyncDispose]() {
      await pool.query(`drop owned by "${name}"; drop role "${name}"`)
    },
  }
}

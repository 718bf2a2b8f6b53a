import { setTimeout as pause } from 'node:timers/promises'
import { seededRandom } from '../seeded-random.ts'
import { ChildPart } from './child-part.ts'
import { nextEffect } from './next-effect.ts'
import { ensure, verdictOf, type Scenario } from './scenario.ts'
import { openWorld, type World } from './world.ts'
import { writeOn } from './writers.ts'

const EVERY_MS = 200
/** Longest time without a session, and until all is caught up. */
const BACK_WITHIN_MS = 5_000

/** The database ends sessions of relay, consumer and their listeners at random, under load. */
export const endedSessions: Scenario = {
  row: 15,
  what: 'sessions of relay, consumer and LISTEN ended by the database every 200 ms: back within 5 s',
  quick: true,
  async run({ seed, faultMs = 60_000, ...at }) {
    const random = seededRandom(seed * 1_000 + 15)
    await using world = await openWorld(at, { operations: 0, window: 20 })
    const { log } = world.place
    const names = { relay: `${log} relay`, consumer: `${log} consumer`, listener: `${log} listener` }
    const listen = new URL(world.place.url)
    listen.searchParams.set('application_name', names.listener)
    const place = { ...world.place, listen: listen.href }
    // in processes of their own: an uncaught error would end them
    await using relay = new ChildPart('relay', place, { env: { PGAPPNAME: names.relay } })
    await using consumer = new ChildPart('consumer', place, { env: { PGAPPNAME: names.consumer } })
    const died = Promise.race([relay.ended, consumer.ended]).then(() => {
      throw new Error('a process ended: an error was not caught')
    })
    let over = false
    const writing = writeOn(place, random, () => over)
    const sessions = new Sessions(world, Object.values(names), () => over)
    const storm = async () => {
      // all is on its way: a service that can't subscribe says so at its start
      await nextEffect(world)
      await sessions.allThere()
      const untilMs = performance.now() + faultMs
      while (!over && performance.now() < untilMs) {
        await pause(EVERY_MS)
        await sessions.endOne(random)
      }
      await sessions.allThere()
    }
    const storming = storm()
    try {
      await Promise.race([died, storming])
    } finally {
      over = true
      await Promise.all([storming, writing])
    }
    const endedMs = performance.now()
    const verdict = await verdictOf(world)
    const caughtUpMs = Math.round(performance.now() - endedMs)
    ensure(relay.running && consumer.running, 'a process ended while it caught up')
    const longestMs = Math.round(sessions.longestGapMs)
    ensure(longestMs <= BACK_WITHIN_MS, `a part was without a session for ${longestMs} ms`)
    return {
      verdict,
      note: `${sessions.ended} sessions ended, without one for ${longestMs} ms at most, caught up in ${caughtUpMs} ms`,
    }
  },
}

/** The sessions of some parts, by their application names. */
class Sessions {
  readonly #world: World
  readonly #over: () => boolean
  readonly #seenMs: Map<string, number>
  ended = 0
  longestGapMs = 0

  constructor(world: World, names: readonly string[], over: () => boolean) {
    this.#world = world
    this.#over = over
    this.#seenMs = new Map(names.map((name) => [name, Infinity]))
  }

  /** Resolves when each part has a session, or all is over. */
  async allThere(): Promise<void> {
    while (!this.#over() && new Set((await this.#look()).map(({ name }) => name)).size < this.#seenMs.size)
      await pause(20)
  }

  /** Ends one session of a part by chance, or all that it has. */
  async endOne(random: () => number): Promise<void> {
    const there = await this.#look()
    const names = [...this.#seenMs.keys()]
    const name = names[Math.floor(random() * names.length)]
    const own = there.filter((session) => session.name === name)
    const chosen = random() < 0.3 ? own : own.slice(0, 1)
    await this.#world.pool.query('select pg_terminate_backend(pid) from unnest($1::int[]) pid', [
      chosen.map(({ pid }) => pid),
    ])
    this.ended += chosen.length
  }

  async #look(): Promise<readonly { readonly pid: number; readonly name: string }[]> {
    const { rows } = await this.#world.pool.query(
      `select pid, application_name as name from pg_stat_activity where application_name = any ($1) order by random()`,
      [[...this.#seenMs.keys()]],
    )
    const nowMs = performance.now()
    for (const [name, seenMs] of this.#seenMs) {
      if (!rows.some((row) => row.name === name)) this.longestGapMs = Math.max(this.longestGapMs, nowMs - seenMs)
      else this.#seenMs.set(name, nowMs)
    }
    return rows
  }
}

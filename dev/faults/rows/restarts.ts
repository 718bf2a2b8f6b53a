import { setTimeout as pause } from 'node:timers/promises'
import { startPostgres, type Server } from '../../servers/index.ts'
import { seededRandom } from '../seeded-random.ts'
import { nextEffect } from './next-effect.ts'
import { consume, relay } from './parts.ts'
import { ensure, verdictOf, type Scenario } from './scenario.ts'
import { openWorld } from './world.ts'
import { writeOn } from './writers.ts'

const BACK_WITHIN_MS = 5_000

/** As an operator restarts it, as one in a hurry does, and as the system's memory killer does. */
const BLOWS: Readonly<Record<string, (server: Server) => Promise<void>>> = {
  fast: (server) => server.stop(),
  async immediate(server) {
    process.kill(server.pid, 'SIGQUIT')
    while (isUp(server)) await pause(10)
  },
  killed: (server) => server.kill(),
}

/** PostgreSQL of its own stops in three ways under load, and comes back. */
export const restarts: Scenario = {
  row: 16,
  what: 'PostgreSQL restarted fast, stopped at once, killed, under load: on within 5 s, none lost',
  async run({ seed, ...at }) {
    const random = seededRandom(seed * 1_000 + 16)
    await using server = await startPostgres({ direct: true })
    await using world = await openWorld({ ...at, url: server.url }, { operations: 0, window: 20 })
    const { place } = world
    await using _consumer = await consume(place, () => {})
    await using _relay = relay(place, () => {})
    let over = false
    const blows = (async () => {
      const pauses: string[] = []
      for (const [how, stop] of [...Object.entries(BLOWS), ...Object.entries(BLOWS)]) {
        await nextEffect(world)
        await pause(200 + random() * 300)
        await stop(server)
        await pause(random() * 1_000)
        await server.restart()
        const backMs = await nextEffect(world)
        ensure(backMs <= BACK_WITHIN_MS, `no effect for ${backMs} ms after PostgreSQL was back (${how})`)
        pauses.push(`${how} ${backMs}`)
      }
      return pauses
    })()
    const [pauses, { unknown }] = await Promise.all([
      blows.finally(() => (over = true)),
      writeOn(place, random, () => over),
    ])
    const verdict = await verdictOf(world)
    return {
      kills: pauses.length,
      verdict,
      note: `on again after ms: ${pauses.join(', ')}; ${unknown.length} outcomes unknown`,
    }
  },
}

function isUp(server: Server): boolean {
  try {
    return server.pid > 0
  } catch {
    return false
  }
}

import { seededRandom } from '../seeded-random.ts'
import { consume, relay } from './parts.ts'
import { PostgresLine } from './postgres-line.ts'
import { ensure, verdictOf, type Scenario } from './scenario.ts'
import { openWorld } from './world.ts'
import { writeOn } from './writers.ts'

const CUTS = 12
const SHARE = 0.15
/** The statement, or the name that it was prepared under. */
const COMMIT = /commit\0/i
const WITHIN_MS = 40_000

/** The line breaks before COMMIT arrives, or before its answer does: callers can't tell which. */
export const unknownCommit: Scenario = {
  row: 3,
  what: 'the line breaks at COMMIT, before or after it: the caller does not know, the table does',
  quick: true,
  async run({ seed, ...at }) {
    const random = seededRandom(seed * 1_000 + 3)
    await using world = await openWorld(at, { operations: 0, window: 100 })
    const { place, pool } = world
    const cuts = { before: 0, after: 0 }
    await using line = await PostgresLine.open(place.url, (connection, bytes) => {
      if (!COMMIT.test(bytes.toString('latin1'))) return
      const chance = random()
      if (chance < SHARE) {
        cuts.before++
        connection.reset()
      } else if (chance < 2 * SHARE) {
        cuts.after++
        connection.loseAnswers()
      }
    })
    await using _consumer = await consume(place, () => {})
    await using _relay = relay(place, () => {})
    const enough = () => cuts.before >= CUTS && cuts.after >= CUTS
    const untilMs = performance.now() + WITHIN_MS
    const over = () => enough() || performance.now() > untilMs
    const { unknown, repeated } = await writeOn({ ...place, url: line.url }, random, over)
    ensure(enough(), `the line was cut ${cuts.before} times before COMMIT, ${cuts.after} after it`)
    const verdict = await verdictOf(world)
    const present = `select count(*)::int as count from "${place.log}".orders where op = any ($1)`
    const committed = (await pool.query(present, [unknown])).rows[0].count as number
    ensure(committed > 0 && committed < unknown.length, `${committed} of ${unknown.length} were committed`)
    return {
      verdict,
      note: `${unknown.length} outcomes unknown, ${committed} of them committed, ${repeated} tried again`,
    }
  },
}

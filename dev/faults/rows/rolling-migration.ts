import { setTimeout as pause } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { createOutbox } from '@waybill/outbox-pg'
import pg from 'pg'
import { READER_VERSION } from '../../../packages/outbox-pg/src/schema-version.ts'
import { execute } from '../../servers/execute.ts'
import { ChildPart } from './child-part.ts'
import { consume, placedIn } from './parts.ts'
import { ensure, verdictOf, type Scenario } from './scenario.ts'
import { openWorld, type World } from './world.ts'

const NEXT_RELEASE = { NODE_OPTIONS: `--import ${new URL('next-release.ts', import.meta.url).href}` }
const BACKUP_MS = 3_000
const MIGRATOR = 'faults migrator'
const LONGEST_MS = 1_000
const SHUT_OUT_MS = 1_500

/**
 * A later release widens the tables under load and under a backup, its relays run beside the old ones, and in the end it
 * shuts those out.
 */
export const rollingMigration: Scenario = {
  row: 43,
  what: 'tables widened under load and a backup; old and new release together, then the new one alone',
  async run(at) {
    await using world = await openWorld(at, { operations: 0, window: 20 })
    const { place, pool } = world
    await using _old = await consume(place, () => {})
    await using parts = new AsyncDisposableStack()
    const oldRelays = [0, 1].map(() => parts.use(new ChildPart('relay', place)))
    const writing = writeOn(world)
    const waits = watchWaits(world)
    try {
      await writing.handled()
      const backup = await backupOf(world)
      const migrated = execute(
        process.execPath,
        [
          '--import',
          new URL('../resolve-sources.ts', import.meta.url).href,
          fileURLToPath(new URL('migrate-process.ts', import.meta.url)),
        ],
        { env: { ...process.env, ...NEXT_RELEASE, PGAPPNAME: MIGRATOR, PLACE: JSON.stringify(place) } },
      )
      await Promise.all([
        migrated,
        isMigrating(world)
          .then(() => pause(BACKUP_MS))
          .finally(() => backup.end()),
      ])
      await writing.handled()
      parts.use(new ChildPart('consumer', place, { env: NEXT_RELEASE }))
      let newRelay = parts.use(new ChildPart('relay', place, { env: NEXT_RELEASE }))
      await writing.handled()
      await oldRelays.shift()!.kill()
      await writing.handled()
      await pool.query(`update "${place.log}".meta set min_relay = ${READER_VERSION + 1}`)
      await writing.handled()
      await newRelay.kill()
      const stood = await positionOf(world)
      await pause(SHUT_OUT_MS)
      ensure((await positionOf(world)) === stood, 'a relay of the old release went on where it is shut out')
      newRelay = parts.use(new ChildPart('relay', place, { env: NEXT_RELEASE }))
      await writing.handled()
    } finally {
      await writing.end()
      await waits.end()
    }
    const verdict = await verdictOf(world)
    const [transaction, lock] = [writing.longestMs, waits.longestMs].map(Math.round) as [number, number]
    const note = `the longest transaction took ${transaction} ms, the longest wait for a table ${lock} ms`
    // a busy machine makes transactions slow too: what counts is who waits behind the migration
    ensure(lock < LONGEST_MS, note)
    return { kills: 2, verdict, note }
  },
}

/** What pg_dump holds on to while it runs. */
async function backupOf({ place }: World) {
  const client = new pg.Client({ connectionString: place.url })
  await client.connect()
  await client.query(
    `begin; lock table "${place.log}".reader, "${place.log}".outbox, "${place.broker}".reader, "${place.broker}".outbox in access share mode`,
  )
  return client
}

async function positionOf({ place, pool }: World): Promise<string> {
  return (
    await pool.query(`select string_agg(position::text, ' ' order by buckets) as positions from "${place.log}".reader`)
  ).rows[0].positions as string
}

async function isMigrating({ pool }: World): Promise<void> {
  for (const untilMs = performance.now() + 30_000; ; await pause(20)) {
    const { rows } = await pool.query('select from pg_stat_activity where application_name = $1', [MIGRATOR])
    if (rows.length > 0) return
    ensure(performance.now() < untilMs, 'no migration within 30 s')
  }
}

/** One operation after another, and how long the slowest took. */
function writeOn({ place, pool: observer }: World) {
  const pool = new pg.Pool({ connectionString: place.url, max: 1 })
  const outbox = createOutbox({ db: pool, source: '/orders', schema: place.log, transport: 'carrier' })
  const Placed = placedIn(place)
  let over = false
  let longestMs = 0
  let number = 0
  const write = async () => {
    while (!over) {
      const order = { op: crypto.randomUUID(), key: 1, number: ++number }
      const sinceMs = performance.now()
      await outbox.transaction(async (trx, messages) => {
        await trx.query(`insert into "${place.log}".orders values ($1, $2, $3)`, [order.op, order.key, order.number])
        messages.publish(Placed, order)
      })
      longestMs = Math.max(longestMs, performance.now() - sinceMs)
      await pause(5)
    }
  }
  const writing = write()
  writing.catch(() => {})
  return {
    get longestMs() {
      return longestMs
    },
    /** Resolves when what is written from now on has had its effect. */
    async handled() {
      const wanted = number + 1
      for (const untilMs = performance.now() + 30_000; ; await pause(20)) {
        const { rows } = await observer.query(`select max(number) as number from "${place.broker}".effects`)
        if (rows[0].number >= wanted) return
        ensure(performance.now() < untilMs, `number ${wanted} had no effect within 30 s`)
      }
    },
    async end() {
      over = true
      await writing.finally(() => pool.end())
    },
  }
}

/** How long anybody but the migration waited for a table of this run. */
function watchWaits({ place, pool }: World) {
  let over = false
  let longestMs = 0
  const watch = async () => {
    for (; !over; await pause(20)) {
      const { rows } = await pool.query(
        `select coalesce(max(extract(epoch from clock_timestamp() - waitstart)), 0)::float8 * 1000 as ms
         from pg_locks join pg_stat_activity using (pid) join pg_class on pg_class.oid = relation
         where not granted and application_name <> $1 and relnamespace::regnamespace::text = any ($2)`,
        [MIGRATOR, [place.log, place.broker]],
      )
      longestMs = Math.max(longestMs, rows[0].ms)
    }
  }
  const watching = watch()
  watching.catch(() => {})
  return {
    get longestMs() {
      return longestMs
    },
    async end() {
      over = true
      await watching
    },
  }
}

import { setTimeout as pause } from 'node:timers/promises'
import { logStatus, postgres } from '@waybill/outbox-pg'
import pg from 'pg'
import { startPostgres } from '../../servers/index.ts'
import { seededRandom } from '../seeded-random.ts'
import { nextEffect } from './next-effect.ts'
import { consume, relay } from './parts.ts'
import { lastWriter, watchWrites, whatWasWritten } from './reader-writes.ts'
import { ensure, verdictOf, type Scenario } from './scenario.ts'
import { PLANNED } from './verdict.ts'
import { openWorld, type World } from './world.ts'
import { writeOn } from './writers.ts'

const ASKED_MS = 1_000

/** One session of PostgreSQL, then all of it, stands still for longer than a lease; two relays wait for it. */
export const frozenDatabase: Scenario = {
  row: 18,
  what: 'a session of the relay, then all of PostgreSQL, frozen past the lease: typed time-outs, one lease at a time',
  async run({ seed, faultMs = 20_000, ...at }) {
    const random = seededRandom(seed * 1_000 + 18)
    await using server = await startPostgres({ direct: true })
    await using world = await openWorld({ ...at, url: server.url }, { operations: 0, window: 20 })
    const { place } = world
    await watchWrites(world)
    await using _consumer = await consume(place, () => {})
    await using one = relay({ ...place, url: named(place.url, 'one') }, () => {})
    await using _two = relay({ ...place, url: named(place.url, 'two') }, () => {})
    let over = false
    const freezing = (async () => {
      await nextEffect(world)
      await pause(random() * 300)
      const session = await sessionOf(world, await lastWriter(world))
      process.kill(session, 'SIGSTOP')
      const whole = pause(faultMs)
      // its reader goes on when the statement times out, or at once on another session; not if this one holds its row
      const [stoodMs] = await Promise.all([standstill(world, faultMs), whole]).finally(() =>
        process.kill(session, 'SIGCONT'),
      )
      await nextEffect(world)
      await using asked = await askers(world)
      server.freeze()
      try {
        await Promise.all([pause(faultMs), asked.timeOut(), isDown(one)])
      } finally {
        server.resume()
      }
      return { stoodMs, backMs: await nextEffect(world) }
    })()
    const [{ stoodMs, backMs }, { unknown }] = await Promise.all([
      freezing.finally(() => (over = true)),
      writeOn(place, random, () => over),
    ])
    const verdict = await verdictOf(world)
    const { refused, backwards } = await whatWasWritten(world)
    ensure(backwards === 0, `${backwards} writes of the reader's row came from a holder whose lease was taken over`)
    return {
      kills: 2,
      verdict,
      note: `${stoodMs} ms without progress by a session, ${backMs} ms after all, ${refused} late writes refused, ${unknown.length} outcomes unknown`,
    }
  },
}

function named(url: string, name: string): string {
  const own = new URL(url)
  own.searchParams.set('application_name', name)
  return own.href
}

async function sessionOf({ pool }: World, name: string): Promise<number> {
  const { rows } = await pool.query(
    `select pid from pg_stat_activity where application_name = $1 order by state = 'active' desc, random() limit 1`,
    [name],
  )
  ensure(rows.length > 0, `${name} has no session`)
  return rows[0].pid as number
}

/** For how long the relay's reader does not get on; at most `mostMs`. */
async function standstill({ place: { log }, pool }: World, mostMs: number): Promise<number> {
  const position = async () => Number((await pool.query(`select max(position) as at from "${log}".reader`)).rows[0].at)
  const startedMs = performance.now()
  const elapsedMs = () => performance.now() - startedMs
  for (const before = await position(); elapsedMs() < mostMs && (await position()) <= before;) await pause(20)
  return Math.round(elapsedMs())
}

/** Those who ask while nobody answers, over connections that are there and over new ones. */
async function askers({ place: { url, log: schema, broker } }: World) {
  const pools = [0, 1].map(() => new pg.Pool({ connectionString: url, max: 3 }))
  for (const pool of pools) pool.on('error', () => {})
  await Promise.all([1, 2, 3].map(() => pools[0]!.query('select pg_sleep(0.05)')))
  const carriers = pools.map((pool) => postgres({ pool, schema: broker }))
  const message = {
    id: `${PLANNED}${crypto.randomUUID()}`,
    type: 'nobody.reads',
    contentType: 'application/json',
    destination: { kind: 'topic' as const, name: `${schema}.nobody` },
    attributes: {},
    headers: {},
    body: Buffer.from('{}'),
  }
  const codesOf = (error: unknown): readonly unknown[] => {
    const { code, cause } = error as { code?: unknown; cause?: unknown }
    return cause === undefined ? [code] : [code, ...codesOf(cause)]
  }
  const endsTyped = async (what: string, asked: Promise<unknown>) => {
    const startedMs = performance.now()
    const codes = await asked.then(() => ['answered'], codesOf)
    const tookMs = Math.round(performance.now() - startedMs)
    ensure(codes.includes('TIMEOUT'), `${what} of a frozen database: ${codes.join(' by ')}`)
    ensure(tookMs <= 3 * ASKED_MS, `${what} of a frozen database took ${tookMs} ms`)
  }
  return {
    async timeOut() {
      await Promise.all([
        ...carriers.map((carrier) => endsTyped('publish', carrier.publish([message], { timeoutMs: ASKED_MS })[0]!)),
        ...pools.map((pool) => endsTyped('status', logStatus({ pool, schema, timeoutMs: ASKED_MS }))),
      ])
    },
    async [Symbol.asyncDispose]() {
      for (const carrier of carriers) await carrier[Symbol.asyncDispose]()
      for (const pool of pools) await pool.end()
    },
  }
}

async function isDown({ health }: ReturnType<typeof relay>): Promise<void> {
  const parts = await health()
  const database = parts.find(({ part }) => part === 'database')
  ensure(database?.state === 'down', `health of a relay over a frozen database: ${JSON.stringify(database)}`)
}

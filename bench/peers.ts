// Beside other libraries that get messages out of a PostgreSQL transaction, in the same rounds: a backlog to a handler in
// this process, and a business row with a message in one transaction. Ours comes in the order of each key, theirs in none:
// that is how each of them is fastest.
import { cpuText, timedAtServer } from './backend-cpu.ts'
import { benchDatabase, type BenchDatabase } from './bench-database.ts'
import { LEAST_PER_SECOND, toHandler } from './drain.ts'
import { Countdown, eventTo, KIB, outboxOf } from './outbox-log.ts'
import { writeAtOnce } from './outbox-writes.ts'
import { inRounds, middle, ratios, shown, timed, type Run } from './pairs.ts'
import { graphileWorker } from './peers-graphile-worker.ts'
import { pgBoss } from './peers-pg-boss.ts'
import { transactionalOutbox } from './peers-transactional-outbox.ts'
import type { Peer } from './peer.ts'
import type { BenchRow } from './row.ts'

const ROWS = 50_000
const WRITERS = 8
const GOAL = 3
const OURS = 'postgres({ pool })'

export async function peers(pairs: number, durationMs: number): Promise<BenchRow[]> {
  await using database = await benchDatabase(WRITERS + 2)
  await using graphile = await graphileWorker(database)
  await using boss = await pgBoss(database)
  await using polling = await transactionalOutbox(database)
  const all = [graphile, boss, polling]
  return [
    ...(await drains(database, all, graphile, pairs)),
    ...(await writes(database, all, [graphile, boss], pairs, durationMs)),
  ]
}

async function drains(database: BenchDatabase, all: readonly Peer[], judged: Peer, pairs: number): Promise<BenchRow[]> {
  const ways: Record<string, () => Promise<Run>> = { [OURS]: toHandler(database, ROWS) }
  for (const peer of all) ways[peer.name] = () => drained(peer)
  const runs = await warmRounds(ways, pairs)
  const rate = (name: string) => rateOf(runs[name]!, 'msg/s')
  const fast = middle(runs[OURS]!.map(({ perSecond }) => perSecond)) / LEAST_PER_SECOND
  return all.map((peer) => {
    const times = ratios(runs[OURS]!, runs[peer.name]!)
    return {
      what: `a backlog of 1 KiB to a handler, beside ${peer.name}`,
      measured: `${OURS}, ${ROWS} rows: ${rate(OURS)}`,
      limit: `${peer.settings}, ${peer.backlog} rows: ${rate(peer.name)}`,
      ratios: times,
      ...(peer === judged && { goal: GOAL, share: Math.min(middle(times) / GOAL, fast) }),
    }
  })
}

async function drained(peer: Peer): Promise<Run> {
  await peer.fill(peer.backlog)
  const countdown = new Countdown(peer.backlog)
  await using worker = new AsyncDisposableStack()
  return await timed(async () => {
    worker.use(await peer.work(() => countdown.count()))
    await countdown.done
    return peer.backlog
  }, 0)
}

async function writes(
  database: BenchDatabase,
  all: readonly Peer[],
  judged: readonly Peer[],
  pairs: number,
  durationMs: number,
): Promise<BenchRow[]> {
  const { pool, insert } = database
  const outbox = outboxOf(database, 'bench')
  const event = eventTo({ name: 'bench' })
  const written = (write: () => Promise<unknown>) => () =>
    timedAtServer(database, (go) => writeAtOnce(WRITERS, go, write), durationMs)
  const inTransaction = (enqueue: Peer['enqueue']) =>
    written(async () => {
      const client = await pool.connect()
      await client.query('BEGIN')
      await client.query(insert)
      await enqueue(client)
      await client.query('COMMIT')
      client.release()
    })
  const ours = {
    'outbox.transaction': written(() =>
      outbox.transaction(async (trx, messages) => {
        await (trx as unknown as typeof pool).query(insert)
        messages.publish(event, KIB)
      }),
    ),
    'outbox.in(trx)': inTransaction((client) => outbox.in(client).publish(event, KIB)),
  }
  const ways: Record<string, () => Promise<Run>> = { ...ours, bare: inTransaction(() => Promise.resolve()) }
  for (const peer of all) ways[peer.name] = inTransaction((client) => peer.enqueue(client))
  const runs = await warmRounds(ways, pairs)
  const rate = (name: string) => rateOf(runs[name]!, 'tx/s')
  return all.flatMap((peer) =>
    Object.keys(ours).map((name) => ({
      what: `a row and a message in one transaction, ${WRITERS} writers: ${name} beside ${peer.name}`,
      measured: rate(name),
      limit: `${peer.adds}: ${rate(peer.name)}; the row alone: ${rate('bare')}`,
      ratios: ratios(runs[name]!, runs[peer.name]!),
      ...(judged.includes(peer) && { goal: GOAL }),
    })),
  )
}

/** Rounds of ways that have all run once: connections, plans and code are warm. */
async function warmRounds(ways: Readonly<Record<string, () => Promise<Run>>>, pairs: number) {
  for (const way of Object.values(ways)) await way()
  return inRounds(ways, pairs)
}

function rateOf(runs: readonly Run[], unit: string): string {
  return `${shown(runs.map(({ perSecond }) => perSecond))} ${unit}, ${cpuText(runs)}`
}

import { readFileSync } from 'node:fs'
import { setTimeout as pause } from 'node:timers/promises'
import { startRelay } from '@waybill/outbox-pg'
import { ChildPart } from './child-part.ts'
import { explainRead, rememberReads } from './explain-read.ts'
import { CannotRunHere, ensure, type Scenario } from './scenario.ts'
import type { Verdict } from './verdict.ts'
import { openWorld, type World } from './world.ts'

const ROWS = 1_000_000
const KEYS = 1_000
const MOST_GROWTH_MIB = 200
/** Of the rate in the first fifth, what the slowest other fifth has to reach: the machine has other work too. */
const STEADY = 0.5
const SAMPLE_MS = 250

/** A million messages were written while no relay ran. */
export const backlog: Scenario = {
  row: 36,
  what: 'a backlog of 1,000,000: steady rate, flat memory, reads by index',
  // whose own log tells what came
  carriers: ['postgres'],
  async run({ seed, ...at }) {
    if (process.platform !== 'linux') throw new CannotRunHere('memory of another process is read from /proc')
    await using world = await openWorld(at, { operations: 0, window: 250 })
    const { place, pool } = world
    const statement = await aRead(world)
    await fill(world)
    const reads = []
    for (const position of [0, ROWS / 2, ROWS - 1_000]) reads.push(await explainRead(pool, statement, position))
    for (const { wholeScans, filtered } of reads) {
      ensure(
        wholeScans.length === 0 && filtered <= 10,
        `a read filters ${filtered} rows, and scans ${wholeScans.join()}`,
      )
    }
    await using relay = new ChildPart('relay', place)
    const { fifths, growthMib } = await watch(world, relay.pid)
    ensure(growthMib < MOST_GROWTH_MIB, `the relay grew by ${growthMib} MiB`)
    const slowest = Math.min(...fifths) / fifths[0]!
    ensure(slowest >= STEADY, `the slowest fifth had ${slowest.toFixed(2)} of the first one's rate`)
    const perSecond = fifths.map((rate) => Math.round(rate / 100) / 10)
    return {
      verdict: await judgeCarrier(world),
      note: `${perSecond.join(', ')} thousand/s by fifths; memory +${growthMib} MiB; reads of 500 rows at head, middle and tail: ${reads
        .map(({ ms }) => ms.toFixed(1))
        .join(', ')} ms`,
    }
  },
}

/** The statement by which a reader asks, from one that found nothing. */
async function aRead({ place: { log }, pool }: World) {
  const reads = rememberReads(pool)
  const probe = { publish: (messages: readonly unknown[]) => messages.map(() => Promise.resolve()) }
  {
    await using _relay = startRelay({ pool: reads.pool, schema: log, pollMs: 20, transports: { probe } })
    while (reads.last() === undefined) await pause(20)
  }
  await pool.query(`delete from "${log}".reader`)
  return reads.last()!
}

async function fill({ place: { log }, pool }: World): Promise<void> {
  await pool.query(`select "${log}".make_partitions(${Math.ceil(ROWS / 100_000) + 1})`)
  await pool.query(`
    insert into "${log}".outbox
      (message_id, transport, kind, destination, type, ordering_key, bucket, attributes, content_type, body_text)
    select 'm' || n, 'carrier', 'topic', 'order.placed', 'order.placed', (n % ${KEYS})::text, n % ${KEYS} % 16,
      '{"source":"/orders"}', 'application/json', json_build_object('op', 'm' || n, 'key', n % ${KEYS}, 'number', n, 'note', repeat('x', 150))
    from generate_series(1, ${ROWS}) n`)
  await pool.query(`analyze "${log}".outbox`)
}

/** Samples position and memory until all is handed over. */
async function watch({ place: { log }, pool }: World, pid: number) {
  const marks: number[] = []
  let baseMib = 0
  let mostMib = 0
  let startMs = 0
  for (;;) {
    const { rows } = await pool.query(`select position::int from "${log}".reader`)
    const position = (rows[0]?.position as number | undefined) ?? 0
    const mib = memoryMib(pid)
    if (position > 0 && startMs === 0) startMs = performance.now()
    if (position >= ROWS / 50 && baseMib === 0) baseMib = mib
    mostMib = Math.max(mostMib, mib)
    while (position >= (ROWS / 5) * (marks.length + 1)) marks.push(performance.now())
    if (position >= ROWS) break
    await pause(SAMPLE_MS)
  }
  const fifths = marks.map((mark, index) => ROWS / 5 / ((mark - (marks[index - 1] ?? startMs)) / 1_000))
  return { fifths, growthMib: Math.round(mostMib - baseMib) }
}

function memoryMib(pid: number): number {
  return Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))![1]) / 1_024
}

/** The carrier's own log in place of effects: a million handlers would measure the inbox. */
async function judgeCarrier({ place: { broker }, pool }: World) {
  // the log itself drops what every reader has passed
  const { rows } = await pool.query(`
    with firsts as (select message_id, ordering_key, min(id) as at, count(*) as times,
        min((body_text::json ->> 'number')::int) as number from "${broker}".outbox group by 1, 2),
      followed as (select number, lag(number) over (partition by ordering_key order by at) as before from firsts)
    select ${ROWS} as committed,
      (select count(*)::int from generate_series(1, ${ROWS}) n left join firsts on message_id = 'm' || n where message_id is null) as lost,
      0 as doubled,
      (select count(*)::int from firsts where message_id <> 'm' || number or number not between 1 and ${ROWS}) as unexpected,
      (select count(*)::int from followed where before > number) as disordered,
      (select coalesce(sum(times - 1), 0)::int from firsts) as copies`)
  return rows[0] as Verdict
}

import { setTimeout as pause } from 'node:timers/promises'
import { createOutbox } from '@waybill/outbox-pg'
import { openCarrier } from './carrier.ts'
import { consume, placedIn, produce, relay } from './parts.ts'
import { ensure, verdictOf, type Scenario } from './scenario.ts'
import { smallDisk } from './small-disk.ts'
import { tablespaceOn } from './tablespace.ts'
import { clean, judge, type Verdict } from './verdict.ts'
import { openWorld, type World, type WorldAt } from './world.ts'

const OPERATIONS = 40
const REFUSED = 10
const DISK_MIB = 16
const FULL = '53100'

/** All tables lie on a small disk, which fills up and is cleared again. */
export const fullDisk: Scenario = {
  row: 28,
  what: 'disk of the database full: 53100 to the caller, its transaction undone whole; then on, the service too',
  quick: true,
  async run({ seed, ...at }) {
    await using disk = await smallDisk(DISK_MIB)
    await using space = await tablespaceOn(at.url, disk.path)
    await using world = await openWorld({ ...at, url: space.url }, { operations: OPERATIONS, window: 20 })
    const { place } = world
    await using _consumer = await consume(place, () => {})
    await using _relay = relay(place, () => {})
    await produce(place, () => {})
    const filled = await fill(world)
    for (let turn = 0; turn < REFUSED; turn++) await refused(world, turn)
    const small = await smallOnes(world)
    if (place.carrier.name === 'postgres') await refusedByCarrier(world)
    await undoneWhole(world)
    await filled.clear()
    await produce({ ...place, operations: 2 * OPERATIONS + small.committed }, () => {})
    const verdict = await verdictOf(world)
    await undoneWhole(world)
    if (!clean(verdict)) return { verdict }
    const waited = await effectsWait(at, space.name)
    return {
      verdict: waited,
      note: `while it was full: ${small.committed} small operations committed, ${small.refused} refused`,
    }
  },
}

/** Only the effects lie on the full disk: the service waits for room, and gives up on nothing. */
async function effectsWait(at: WorldAt, space: string): Promise<Verdict> {
  await using world = await openWorld(at, { operations: OPERATIONS, window: 20 })
  const { place, pool } = world
  await pool.query(`alter table "${place.broker}".effects set tablespace ${space}`)
  const filled = await fill(world, space)
  let tries = 0
  await using _consumer = await consume(place, (point) => void (point === 'before-inbox' && tries++))
  await using _relay = relay(place, () => {})
  await produce(place, () => {})
  for (const untilMs = performance.now() + 30_000; tries < 3; await pause(20)) {
    ensure(performance.now() < untilMs, `the service tried ${tries} times within 30 s`)
  }
  const { lost } = await judge(pool, place)
  ensure(lost >= OPERATIONS, 'the disk under the effects was not full')
  await filled.clear()
  return await verdictOf(world)
}

/** Until not even a page is left. */
async function fill({ place, pool }: World, space?: string) {
  await pool.query(
    `create table "${place.log}".filler (page text) ${space === undefined ? '' : `tablespace ${space}`};
     alter table "${place.log}".filler alter page set storage plain`,
  )
  for (const pages of [100, 10, 1, 1, 1]) {
    for (;;) {
      const error = await pool
        .query(`insert into "${place.log}".filler select repeat('x', 8000) from generate_series(1, $1)`, [pages])
        .then(
          () => undefined,
          (error: { code?: string }) => error,
        )
      if (error === undefined) continue
      ensure(error.code === FULL, `filling the disk: ${error.code}`)
      break
    }
  }
  return { clear: () => pool.query(`drop table "${place.log}".filler`) }
}

/** An operation whose message has no room. */
async function refused({ place, pool }: World, turn: number): Promise<void> {
  const { log } = place
  const outbox = createOutbox({ db: pool, source: '/orders', schema: log, transport: 'carrier' })
  const error = await outbox
    .transaction(async (trx, messages) => {
      const order = { op: `large ${turn} ${noise(200_000)}`, key: 1, number: 0 }
      await trx.query(`update "${log}".counter set number = number + 1 where key = 1`)
      if (turn % 2 === 0) messages.publish(placedIn(place), order)
      else await outbox.in(trx).publish(placedIn(place), order)
    })
    .then(
      () => undefined,
      (error: { code?: string }) => error,
    )
  ensure(error?.code === FULL, `the outbox on a full disk: ${error?.code ?? 'committed'}`)
}

/** Operations that fit a page that is there already, or not. */
async function smallOnes({ place, pool }: World) {
  const { rows } = await pool.query(`select count(*)::int as count from "${place.log}".orders`)
  let refused = 0
  let committed = 0
  for (let turn = 1; turn <= REFUSED; turn++) {
    await produce({ ...place, operations: rows[0].count + committed + 1 }, () => {}).then(
      () => committed++,
      (error: { code?: string }) => {
        ensure(error.code === FULL, `an operation on a full disk: ${error.code}`)
        refused++
      },
    )
  }
  return { refused, committed }
}

/** PostgreSQL as carrier says how far its refusal reaches. */
async function refusedByCarrier({ place, pool }: World): Promise<void> {
  await using carrier = openCarrier(place.carrier, pool, place.broker)
  const headers = Object.create(null) as Record<string, string>
  const { destination, wireType } = placedIn(place)
  const message = {
    ...{
      id: crypto.randomUUID(),
      type: wireType,
      destination,
      contentType: 'application/json',
      attributes: {},
      headers,
    },
    body: Buffer.from(JSON.stringify({ op: noise(200_000), key: 1, number: 0 })),
  }
  const error = await Promise.all(carrier.publish([message])).then(
    () => undefined,
    (error: { fault?: object; cause?: { code?: string } }) => error,
  )
  const told = JSON.stringify({ ...error?.fault, code: error?.cause?.code })
  ensure(
    told === JSON.stringify({ scope: 'transport', retryable: true, mayExist: false, code: FULL }),
    `the carrier on a full disk: ${told}`,
  )
}

/** Each operation counted its key: none of those that failed did. */
async function undoneWhole({ place: { log }, pool }: World): Promise<void> {
  const { rows } = await pool.query(
    `select (select sum(number)::int from "${log}".counter) as counted, (select count(*)::int from "${log}".orders) as written`,
  )
  const { counted, written } = rows[0]
  ensure(counted === written, `${counted} operations were counted, and ${written} written`)
}

/** Text that no compression makes fit. */
function noise(length: number): string {
  return Buffer.from(crypto.getRandomValues(new Uint8Array(65_536)))
    .toString('base64')
    .repeat(8)
    .slice(0, length)
}

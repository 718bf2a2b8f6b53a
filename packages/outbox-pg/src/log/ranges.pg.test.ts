import { expect, test } from 'vitest'
import { logStatus } from '../status/log-status.ts'
import { testDatabase } from '../test-database.ts'
import { ALL_BUCKETS, type Buckets } from './buckets.ts'
import type { LogPosition } from './gaps.ts'
import { dropReader, moveReader } from './move-reader.ts'
import { ReaderRow } from './reader-row.ts'
import { seededRandom } from '../../../../dev/faults/seeded-random.ts'

const IDS = 80
const PAIRS = 40

async function fixture() {
  const at = await testDatabase()
  const { pool } = at
  const schema = `"${at.schema}"`
  const reader = (name: string, leaseMs = 60_000) =>
    new ReaderRow(pool, schema, { name, kind: 'service', service: name, leaseMs })
  const stored = async (name: string) =>
    (
      await pool.query(
        `select buckets::text, position::int, open::text, leased_by, wanted_by, starts from ${schema}.reader
         where name = $1 order by lower(buckets)`,
        [name],
      )
    ).rows
  return { ...at, reader, stored }
}

const idsIn = ({ gaps }: LogPosition) =>
  gaps.flatMap(({ low, high }) => Array.from({ length: high - low + 1 }, (_, index) => low + index))

test('joined ranges lose no id and repeat none, however far each has read and whatever each waits for', async () => {
  await using at = await fixture()
  const random = seededRandom(7)
  const one = (low: number, high: number) => low + Math.floor(random() * (high - low + 1))
  // committed with a bucket; may still be committed; rolled back
  const fates = Array.from({ length: IDS }, (_, index) => {
    const draw = random()
    return { id: index + 1, bucket: draw < 0.6 ? one(0, 15) : undefined, coming: draw > 0.8 }
  })
  for (const { id, bucket } of fates) {
    if (bucket === undefined) continue
    await at.pool.query(
      `insert into "${at.schema}".outbox (id, message_id, kind, destination, type, bucket, attributes, content_type)
       overriding system value values ($1::int8, 'm', 'topic', 'a', 'a', $2, '{}', '')`,
      [id, bucket],
    )
  }
  for (let pair = 0; pair < PAIRS; pair++) {
    const name = `service/${pair}`
    const middle = one(1, 15)
    const sides = [
      { from: 0, to: middle },
      { from: middle, to: 16 },
    ].map((buckets) => {
      const position = one(0, IDS)
      const open = fates.flatMap(({ id, bucket, coming }) => {
        if (id > position) return []
        // not settled yet where it is its own; else not seen, or not given up, yet
        return coming || random() < 0.3 ? [{ id, own: bucket !== undefined && inside(bucket, buckets) }] : []
      })
      return { buckets, position, open }
    })
    for (const { buckets, position, open } of sides) {
      await at.pool.query(
        `insert into "${at.schema}".reader (name, kind, buckets, position, open, token)
         values ($1, 'service', int4range($2, $3), $4, $5, $6)`,
        [name, buckets.from, buckets.to, position, `{${open.map(({ id }) => `[${id},${id}]`)}}`, one(0, 9)],
      )
    }
    const row = at.reader(name)
    const held = (await row.acquire('me'))!
    const joined = (await row.ranges!.join(held))!
    expect(joined.position).toBe(Math.max(...sides.map(({ position }) => position)))
    expect(joined.buckets).toEqual(ALL_BUCKETS)
    const open = new Set(
      joined.open.flatMap(([low, high]) => Array.from({ length: high - low + 1 }, (_, i) => low + i)),
    )
    for (const { id, bucket, coming } of fates) {
      if (bucket !== undefined) {
        const side = sides.find(({ buckets }) => inside(bucket, buckets))!
        const left = id > side.position || side.open.some((each) => each.id === id)
        expect([id, open.has(id)]).toEqual([id, left && id <= joined.position])
      } else if (coming && id <= joined.position) {
        expect([id, open.has(id)]).toEqual([id, true])
      }
    }
    expect(await at.stored(name)).toMatchObject([{ buckets: '[0,16)', position: joined.position, leased_by: 'me' }])
    // the lease it had before is worth nothing any more
    expect(await row.write(held, held.state, [])).toBeUndefined()
    expect(await row.write(joined, { position: joined.position, gaps: [] }, [])).toBeDefined()
  }
})

test('a half goes to who asked, under a lease of its own; late writes of before do nothing; halves come together again', async () => {
  await using at = await fixture()
  const row = at.reader('service/a')
  await row.register('earliest')
  const whole = (await row.acquire('one'))!
  expect(await row.acquire('two')).toBeUndefined()
  expect(await row.write(whole, whole.state, [])).toEqual({ wanted: false, free: undefined })
  expect(await row.ranges!.split(whole)).toBeUndefined()
  await row.ranges!.ask('two')
  await row.ranges!.ask('three')
  expect(await at.stored('service/a')).toMatchObject([{ wanted_by: 'two' }])
  const state = { position: 9, gaps: [{ low: 4, high: 5, bound: undefined }] }
  expect(await row.write(whole, state, [7])).toEqual({ wanted: true, free: undefined })
  const { kept } = (await row.ranges!.split(whole))!
  expect(kept).toEqual({ from: 0, to: 8 })
  expect(await at.stored('service/a')).toMatchObject([
    { buckets: '[0,8)', position: 9, open: '{[4,6),[7,8)}', leased_by: 'one', wanted_by: null },
    { buckets: '[8,16)', position: 9, open: '{[4,6),[7,8)}', leased_by: 'two' },
  ])
  // handed over to one, so that no other may take it
  expect(await row.acquire('three')).toBeUndefined()
  const half = (await row.acquire('two'))!
  expect(half).toMatchObject({ buckets: { from: 8, to: 16 }, unclean: false })
  expect(idsIn(half.state)).toEqual([4, 5, 7])
  const mine = { ...whole, buckets: kept }
  expect(await row.write(mine, state, [])).toEqual({ wanted: false, free: undefined })
  await row.release(half)
  expect(await row.write(half, { position: 11, gaps: [] }, [])).toBeDefined()
  await row.release(half)
  expect(await row.write(mine, state, [])).toEqual({ wanted: false, free: 11 })
  // while somebody waits, what is free is theirs
  await row.ranges!.ask('three')
  expect(await row.write(mine, state, [])).toEqual({ wanted: true, free: undefined })
  await row.ranges!.withdraw('three')
  const joined = (await row.ranges!.join(mine))!
  expect(joined).toMatchObject({ buckets: ALL_BUCKETS, added: half.buckets, position: 11 })
  for (const late of [mine, half, whole]) expect(await row.write(late, state, [])).toBeUndefined()
  expect(await row.write(joined, state, [])).toEqual({ wanted: false, free: undefined })
  expect(await at.stored('service/a')).toHaveLength(1)
})

test('what is far behind is read before it is joined; what is far ahead waits; counted starts go with their bucket', async () => {
  await using at = await fixture()
  const row = at.reader('service/a')
  await row.register('earliest')
  await at.pool.query(
    `insert into "${at.schema}".outbox (id, message_id, kind, destination, type, bucket, attributes, content_type)
     overriding system value values (1, '1', 'topic', 'a', 'a', 2, '{}', ''), (2, '2', 'topic', 'a', 'a', 12, '{}', '')`,
  )
  const whole = (await row.acquire('one'))!
  const starts = new Map([
    [1, 1],
    [2, 3],
  ])
  await row.write(whole, { position: 2, gaps: [] }, [1, 2], [], [], { starts })
  await row.ranges!.ask('two')
  const split = (await row.ranges!.split(whole))!
  expect(split).toEqual({ kept: { from: 0, to: 8 }, counts: [2] })
  expect(await at.stored('service/a')).toMatchObject([{ starts: { 1: 1 } }, { starts: { 2: 3 } }])
  const mine = { ...whole, buckets: split.kept }
  const half = (await row.acquire('two'))!
  await row.write(half, { position: 100_000, gaps: [] }, [])
  await row.release(half)
  expect(await row.ranges!.join(mine)).toBeUndefined()
  expect(await row.write(mine, { position: 200_000, gaps: [] }, [1])).toEqual({ wanted: false, free: 100_000 })
  expect(await row.ranges!.join(mine)).toBeUndefined()
  expect(await row.write(mine, { position: 100_500, gaps: [] }, [1])).toEqual({ wanted: false, free: 100_000 })
  const joined = (await row.ranges!.join(mine))!
  expect(joined).toMatchObject({ position: 100_500, starts: new Map([[2, 3]]), unclean: false })
  expect(await at.stored('service/a')).toMatchObject([{ starts: { 1: 1, 2: 3 } }])
})

test('a reader that is moved has one range again; none is dropped while somebody holds a part of it', async () => {
  await using at = await fixture()
  const schema = `"${at.schema}"`
  const row = at.reader('service/a')
  await row.register('earliest')
  const whole = (await row.acquire('one'))!
  await row.write(whole, { position: 9, gaps: [{ low: 2, high: 3, bound: undefined }] }, [8])
  await row.ranges!.ask('two')
  const { kept } = (await row.ranges!.split(whole))!
  const half = (await row.acquire('two'))!
  await row.release({ ...whole, buckets: kept })
  const status = async () => (await logStatus({ pool: at.pool, schema: at.schema })).readers
  expect(await status()).toMatchObject([
    {
      name: 'service/a',
      position: 9,
      running: false,
      ranges: [
        { from: 0, to: 8, running: false },
        { from: 8, to: 16, running: true },
      ],
    },
  ])
  await expect(dropReader(at.pool, schema, 'service/a')).rejects.toMatchObject({ code: 'CONFIG' })
  expect(await at.stored('service/a')).toHaveLength(2)
  await moveReader(at.pool, schema, 'service/a', { position: '6' })
  expect(await at.stored('service/a')).toMatchObject([
    { buckets: '[0,16)', position: 5, open: '{[2,4)}', leased_by: null },
  ])
  expect(await row.write(half, half.state, [])).toBeUndefined()
  await dropReader(at.pool, schema, 'service/a')
  expect(await at.stored('service/a')).toEqual([])
})

const inside = (bucket: number, { from, to }: Buckets) => bucket >= from && bucket < to

import { expect, test } from 'vitest'
import { judge, clean } from './rows/verdict.ts'
import { openWorld } from './rows/world.ts'

test('a history with one of each fault is judged so', async () => {
  await using world = await openWorld(
    { url: process.env.DATABASE_URL!, carrier: { name: 'postgres' } },
    { operations: 4, window: 1 },
  )
  const { pool, place } = world
  const effects = (values: string) =>
    pool.query(`insert into "${place.broker}".effects (op, key, number) values ${values}`)
  await pool.query(`insert into "${place.log}".orders values ('a', 1, 1), ('b', 1, 2), ('c', 2, 1), ('d', 1, 3)`)
  await effects(`('a', 1, 1), ('b', 1, 2), ('d', 1, 3), ('c', 2, 1)`)
  expect(clean(await judge(pool, place))).toBe(true)
  await pool.query(`truncate "${place.broker}".effects`)
  await effects(`('a', 1, 1), ('d', 1, 3), ('b', 1, 2), ('a', 1, 1), ('never', 2, 1)`)
  expect(await judge(pool, place)).toEqual({
    committed: 4,
    lost: 1,
    doubled: 1,
    unexpected: 1,
    disordered: 1,
    copies: 0,
  })
})

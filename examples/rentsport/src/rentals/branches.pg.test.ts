import { createBus } from '@waybill/core'
import { memory } from '@waybill/core/memory'
import { expect, test } from 'vitest'
import { rentSportDatabase } from '../database/test-database.ts'
import { askBranches, openBranches } from './branches.ts'
import { bookRental } from './book.ts'

test('each branch answers for its own stock, and what is rented is not free', async () => {
  await using at = await rentSportDatabase()
  await using bus = createBus({ transport: memory(), source: '/test' })
  await openBranches(bus, at.db)
  const before = await askBranches(bus, at.db, 'bike')
  expect(before.unknown).toEqual([])
  expect(before.branches.map(({ owner_id }) => owner_id)).toEqual([101, 102, 103, 104])
  const order = { equipment_id: 1, user_id: 1, days: 1, payment_method: 'card:4242424242424242' }
  await bookRental(at.outbox, () => Promise.resolve(), order)
  const after = await askBranches(bus, at.db, 'bike')
  expect(after.branches[0]!.units_free).toBe(before.branches[0]!.units_free - 1)
  expect(after.branches.slice(1)).toEqual(before.branches.slice(1))
})

test('branches that are closed are named, not waited for beyond the deadline', async () => {
  await using at = await rentSportDatabase()
  const transport = memory()
  await using bus = createBus({ transport, source: '/test' })
  expect(await askBranches(bus, at.db, 'bike')).toEqual({ branches: [], unknown: [101, 102, 103, 104] })
})

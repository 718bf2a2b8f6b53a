import { createHarness } from '@waybill/core/testing'
import { expect, test } from 'vitest'
import { billRentals, RentalBilled } from './bill-rentals.ts'
import { RentalBooked } from './domain.ts'

const rental = { rentalId: 'r-1', skiId: 's-42', days: 3 }

test('a booked rental is billed', async () => {
  await using harness = createHarness()
  await harness.bus.subscribe(
    'billing',
    billRentals(harness.bus, async () => {}),
  )

  await harness.bus.publish(RentalBooked, rental)

  const { data } = await harness.published(RentalBilled, { rentalId: 'r-1' })
  expect(data.cents).toBe(4_500)
  await harness.handled('billing', RentalBooked)
})

test('a bank that is slow to answer costs nothing but time', async () => {
  await using harness = createHarness()
  let failures = 2
  await harness.bus.subscribe(
    'billing',
    billRentals(harness.bus, async () => {
      if (failures-- > 0) throw new Error('the bank did not answer')
    }),
  )

  await harness.bus.publish(RentalBooked, rental)
  // the waits between tries follow the harness's clock: nothing happens until it moves
  await harness.clock.advance(10_000)

  await harness.published(RentalBilled)
  await harness.settled()
})

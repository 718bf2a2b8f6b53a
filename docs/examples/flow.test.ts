import { createHarness } from '@waybill/core/testing'
import { expect, it } from 'vitest'
import { PriceFeed, RentalBooked } from './flow-domain.ts'
import { subscribeAll } from './flow.ts'

it('the services of the how-to start no more than they say, and take their prices together', async () => {
  await using harness = createHarness()
  const { bus, clock } = harness
  const batches: number[] = []
  const done: string[] = []
  await subscribeAll(bus, async (prices) => void batches.push(prices.length), done)
  for (let count = 0; count < 4; count++) await bus.publish(RentalBooked, { email: `${count}@example.org` })
  for (let cents = 0; cents < 7; cents++) await bus.send(PriceFeed, { skiId: 's-42', cents })
  await clock.settle()
  expect(done.filter((line) => line.startsWith('mail to'))).toHaveLength(2)
  expect(done.filter((line) => line === 'mail: rental.booked.mail ack')).toHaveLength(2)
  await clock.advance(1_000)
  expect(done).toHaveLength(8)
  expect(batches).toEqual([7])
})

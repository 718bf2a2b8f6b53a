import { expect, it } from 'vitest'
import { DeliveryAges } from './delivery-ages.ts'

it('tells of deliveries that were settled late, once a minute', () => {
  let nowMs = 0
  const late: number[] = []
  const ages = new DeliveryAges({ nowMs: () => nowMs }, 1_000, (ageMs) => late.push(ageMs))
  ages.took(1)
  ages.took(2)
  ages.took(3)
  nowMs = 999
  ages.settled(1)
  expect(late).toEqual([])
  nowMs = 1_500
  ages.settled(2)
  ages.settled(3)
  expect(late).toEqual([1_500])
  ages.took(4)
  nowMs = 62_000
  ages.settled(4)
  ages.settled(4)
  expect(late).toEqual([1_500, 60_500])
})

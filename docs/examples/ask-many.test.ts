import { createBus, respond } from '@waybill/core'
import { memory } from '@waybill/core/memory'
import { expect, it } from 'vitest'
import { firstBranchWith } from './ask-many-as-they-come.ts'
import { CountFree, freeIn, openBranch } from './ask-many.ts'

it('branches are asked at once, and who says nothing is known by name', async () => {
  await using bus = createBus({ transport: memory(), source: '/docs' })
  await openBranch(bus, 'harbour', { kayak: 4 })
  await openBranch(bus, 'station', { kayak: 9, ski: 1 })
  await bus.subscribe('closed', [
    respond(CountFree, () => {
      throw new Error('closed today')
    }),
  ])
  const asked = await freeIn(bus, ['harbour', 'station', 'closed', 'hill'], 'kayak')
  expect(asked).toEqual({ free: { harbour: 4, station: 9 }, unknown: ['closed', 'hill'] })
  expect(await firstBranchWith(bus, 'ski', 1)).toBe('station')
  expect(await firstBranchWith(bus, 'ski', 2)).toBeUndefined()
})

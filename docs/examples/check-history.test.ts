import { expect, it } from 'vitest'
import { judge } from './check-history.ts'

it('finds in the lines of a log what was lost, doubled and out of order', () => {
  const published = (id: string, key?: string) =>
    ({ event: 'published', id, ...(key !== undefined && { key }) }) as const
  const handled = (id: string, service: string) => ({ event: 'handled', id, service }) as const
  const lines = [
    ...[published('1', 'ski-7'), published('2', 'ski-7'), published('3'), { event: 'failed', id: '4' } as const],
    ...[handled('2', 'billing'), handled('1', 'billing'), handled('3', 'billing'), handled('4', 'billing')],
    ...[handled('1', 'mail'), handled('2', 'mail'), handled('2', 'mail')],
  ]
  expect(judge(lines, ['billing', 'mail'])).toMatchObject([
    { verdict: 'reordered', reader: 'billing', id: '1' },
    { verdict: 'duplicated', reader: 'mail', id: '2' },
    { verdict: 'lost', reader: 'mail', id: '3' },
  ])
})

import { expect, it } from 'vitest'
import type { Destination } from '@waybill/core'
import { Overdue } from './overdue.ts'
import { Publication } from './publication.ts'

const WINDOW = 10

function publication(name: string, sentAtMs = 1): Publication {
  const destination: Destination = { kind: 'queue', name }
  const properties = { headers: {}, persistent: true }
  const outgoing = { exchange: '', routingKey: name, content: Buffer.from('whole'), mandatory: true, properties }
  const given = { outgoing, destination, needs: undefined, confirm: true, fresh: true }
  const one = new Publication(
    given,
    { onSettled: () => {} },
    () => {},
    () => {},
  )
  one.sentAtMs = sentAtMs
  return one
}

function fill(overdue: Overdue, name: string, count: number): Publication[] {
  const all = Array.from({ length: count }, (_, index) => publication(name, index + 1))
  for (const one of all) overdue.add(one)
  return all
}

it('refuses a destination with half a window of them, until one is answered', () => {
  const overdue = new Overdue(WINDOW)
  const [first] = fill(overdue, 'dead', WINDOW / 2)
  expect(() => overdue.check(publication('dead'))).toThrow(
    expect.objectContaining({
      message: expect.stringContaining('queue "dead"'),
      fault: { scope: 'destination', retryable: true, mayExist: false },
    }),
  )
  overdue.check(publication('other'))
  overdue.delete(first!)
  overdue.delete(first!)
  expect(overdue.size).toBe(WINDOW / 2 - 1)
  overdue.check(publication('dead'))
})

it('refuses all beyond four windows', () => {
  const overdue = new Overdue(WINDOW)
  for (let index = 0; index < WINDOW; index++) fill(overdue, `dead-${index}`, 4)
  expect(() => overdue.check(publication('other'))).toThrow(
    expect.objectContaining({ fault: { scope: 'transport', retryable: true, mayExist: false } }),
  )
  overdue.clear()
  overdue.check(publication('other'))
  expect(overdue.problem).toBeUndefined()
})

it('tells since when, and of whom', () => {
  const overdue = new Overdue(WINDOW)
  const [first] = fill(overdue, 'dead', 3)
  expect(overdue.problem).toMatchObject({ sinceMs: 1, reason: expect.stringContaining('3 messages') })
  overdue.delete(first!)
  expect(overdue.problem).toMatchObject({ sinceMs: 2, reason: expect.stringContaining('queue "dead"') })
})

it('keeps no content of what failed', () => {
  const one = publication('dead')
  one.settle(new Error('late'))
  expect(one.outgoing.content).toHaveLength(0)
  expect(one.bytes).toBe(5)
})

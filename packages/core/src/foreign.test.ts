import { expect, it } from 'vitest'
import { z } from 'zod'
import { createBus } from './create-bus.ts'
import { defineEvent } from './definition.ts'
import { on } from './handler.ts'
import { memory } from './memory/index.ts'
import { headersOf, sample } from './testing/sample.ts'

const Booked = defineEvent('rental.booked', {
  version: 2,
  schema: z.object({ n: z.number() }),
  upcast: { 1: () => ({ n: -1 }) },
})
const topic = { kind: 'topic', name: 'rental.booked' } as const
const plain = (text: string) =>
  sample(topic, 1, {
    id: '',
    type: '',
    contentType: '',
    attributes: {},
    headers: headersOf({}),
    body: new TextEncoder().encode(text),
  })

it('plain JSON of a producer who knows nothing of us is taken for the definition that is assumed', async () => {
  const transport = memory()
  await using bus = createBus({ transport, source: '/test' })
  const seen: unknown[] = []
  await bus.subscribe('s', [on(Booked, ({ n }, { message }) => void seen.push([n, message]))], { assume: Booked })
  await Promise.all(transport.publish([plain('{"n":1}'), plain('{"n":2}'), plain('{"n":"x"}'), plain('{"n":')]))
  await expect.poll(() => seen.length).toBe(2)
  expect(seen).toMatchObject([
    // known by its place, since it has no id
    [1, { id: '1', type: 'rental.booked', version: 2, source: undefined }],
    [2, { id: '2' }],
  ])
  await expect.poll(() => bus.stats.deadLettered).toBe(2)
  const reasons = []
  for await (const { reason } of bus.parked.list()) reasons.push(reason)
  expect(reasons.sort()).toEqual([
    'CodecError: body of 5 bytes is not JSON in UTF-8',
    expect.stringMatching(/^ValidationError: .* n: /) as string,
  ])
})

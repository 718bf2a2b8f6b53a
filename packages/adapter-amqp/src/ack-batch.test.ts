import { systemPorts } from '@waybill/core'
import { manualTime } from '@waybill/core/testing'
import fc from 'fast-check'
import { expect, it } from 'vitest'
import { AckBatch } from './ack-batch.ts'
import type { AmqpChannel, AmqpMessage } from './client.ts'

/** What a broker does with acks: settles one, or all that are open up to it; an ack for one that is not is a fault. */
function broker() {
  const open = new Set<number>()
  let commands = 0
  const channel = {
    ack({ fields }: AmqpMessage, allUpTo = false) {
      const tag = fields.deliveryTag!
      if (!open.has(tag)) throw new Error(`unknown delivery tag ${tag}`)
      commands++
      for (const other of open) if (other === tag || (allUpTo && other < tag)) open.delete(other)
    },
  }
  return { open, channel: channel as AmqpChannel, commands: () => commands }
}

const message = (deliveryTag: number) => ({ fields: { deliveryTag } }) as AmqpMessage

it('settles what was acked and nothing else, in whatever order it is settled, within two milliseconds', async () => {
  const act = fc.record({ pick: fc.nat(), how: fc.constantFrom('take', 'take', 'ack', 'ack', 'drop', 'wait') })
  await fc.assert(
    fc.asyncProperty(fc.integer({ min: 1, max: 300 }), fc.array(act, { maxLength: 200 }), async (prefetch, acts) => {
      const time = manualTime()
      const { open, channel } = broker()
      const batch = new AckBatch(channel, prefetch, time.ports, (error) => expect.unreachable(error.message))
      const held: AmqpMessage[] = []
      let tag = 0
      for (const { pick, how } of acts) {
        if (how === 'take') {
          const raw = message(++tag)
          open.add(tag)
          held.push(raw)
          batch.took(raw)
        } else if (how === 'wait') {
          await time.advance(2)
          expect([...open]).toEqual(held.map(({ fields }) => fields.deliveryTag))
        } else if (held.length > 0) {
          const [raw] = held.splice(pick % held.length, 1) as [AmqpMessage]
          if (how === 'ack') batch.add(raw)
          else {
            batch.drop(raw)
            open.delete(raw.fields.deliveryTag!)
          }
        }
        // what is not acked is never settled
        for (const { fields } of held) expect(open.has(fields.deliveryTag!)).toBe(true)
      }
      batch.end()
      expect([...open]).toEqual(held.map(({ fields }) => fields.deliveryTag))
      expect(time.armed).toBe(0)
    }),
    { numRuns: 100 },
  )
})

it('settles a run of messages by one command, before a quarter of the window waits', () => {
  const { open, channel, commands } = broker()
  const batch = new AckBatch(channel, 100, systemPorts, () => expect.unreachable())
  const taken = Array.from({ length: 25 }, (_, index) => message(index + 1))
  for (const raw of taken) {
    open.add(raw.fields.deliveryTag!)
    batch.took(raw)
  }
  for (const raw of taken) batch.add(raw)
  expect([open.size, commands()]).toEqual([0, 1])
})

it('tells of a channel that was closed under it, once', () => {
  const { channel } = broker()
  const reasons: string[] = []
  const batch = new AckBatch(channel, 1, systemPorts, ({ message: text }) => reasons.push(text))
  batch.add(message(1))
  batch.end()
  expect(reasons).toEqual(['unknown delivery tag 1'])
})

import { deepEqual, ok } from 'node:assert/strict'
import type { Delivery, Settlement } from '../../transport.ts'
import { headersOf, samples } from '../sample.ts'
import type { SuiteCase } from '../suite-case.ts'

const ATTEMPTS = 4

export const attempts: SuiteCase = {
  id: '16',
  title: 'the attempt counts up with each requeue, also over a change of the subscriber',
  lacks: ({ capabilities }) => {
    if (capabilities.attempts === undefined) return 'attempts'
    return capabilities.requeue ? undefined : 'requeue'
  },
  async run(context) {
    const [sender, first, second] = await context.clients(3)
    const { attempts: counting, persistent, maxDelayMs = 100 } = first!.capabilities
    const destination = context.queue()
    const service = context.name('counts')
    const seen = new Map<string, number[]>()
    const handle = ({ message, attempt }: Delivery): Settlement => {
      const counted = [...(seen.get(message.id) ?? []), attempt]
      seen.set(message.id, counted)
      context.wake()
      if (counted.length >= ATTEMPTS) return { outcome: 'ack' }
      const notes = headersOf({ 'waybill-failures': String(counted.length) })
      return { outcome: 'requeue', delayMs: Math.min(100, maxDelayMs), notes }
    }
    const reading = await context.read({ transport: first!, service, from: [destination], handle })
    const messages = samples(destination, 5)
    const counted = (least: number) => () => messages.every(({ id }) => (seen.get(id)?.length ?? 0) >= least)
    await context.publish(sender!, messages, [service])
    if (persistent) {
      await context.until(counted(2), 'two attempts at each message')
      await reading.stop()
      await context.read({ transport: second!, service, from: [destination], handle })
    }
    await context.until(counted(ATTEMPTS), `${ATTEMPTS} attempts at each message`)
    await context.finish(['duplicated'])
    for (const numbers of seen.values()) {
      if (counting === 'exact') {
        const expected = Array.from({ length: ATTEMPTS }, (_, index) => index + 1)
        deepEqual(numbers, expected, `attempts of a message that was requeued each time: ${numbers.join(', ')}`)
      } else {
        ok(
          numbers.every((attempt, index) => (index === 0 ? attempt === 1 : attempt >= 2)),
          `attempts of a message that was requeued each time: ${numbers.join(', ')}; the first is 1, later ones 2 or more`,
        )
      }
    }
  },
}

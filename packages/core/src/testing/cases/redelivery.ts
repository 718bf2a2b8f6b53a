import { equal, ok } from 'node:assert/strict'
import type { Delivery } from '../../transport.ts'
import type { CaseContext } from '../case-context.ts'
import { aborted } from '../gate.ts'
import { headersOf, numberOf, samples } from '../sample.ts'
import type { SuiteCase } from '../suite-case.ts'

const FAILURES = 'waybill-failures'
const requeueLacking: SuiteCase['lacks'] = ({ capabilities }) => (capabilities.requeue ? undefined : 'requeue')

export const redelivery: SuiteCase = {
  id: '13',
  title: 'what is requeued comes again, later and with its notes; the others come once',
  lacks: requeueLacking,
  async run(context) {
    const [sender, receiver] = await context.clients(2)
    const destination = context.topic()
    const service = context.name('requeues')
    const requeued = new Map<string, number>()
    const delayMs = delayOf(receiver!.capabilities)
    await context.read({
      transport: receiver!,
      service,
      from: [destination],
      handle: (delivery) => {
        const { message, attempt } = delivery
        if (numberOf(message) >= 2) return { outcome: 'ack' }
        const sinceMs = requeued.get(message.id)
        if (sinceMs === undefined) {
          requeued.set(message.id, performance.now())
          return { outcome: 'requeue', delayMs, notes: headersOf({ [FAILURES]: '1', 'waybill-reason': 'as planned' }) }
        }
        checkReturn(context, delivery, 1, performance.now() - sinceMs, delayMs)
        ok(attempt >= 1, `attempt ${attempt}`)
        return { outcome: 'ack' }
      },
    })
    const messages = samples(destination, context.share(100))
    await context.publish(sender!, messages, [service])
    const [first, second] = messages
    await context.until(
      () => [first!, second!].every(({ id }) => context.ledger.count(service, id) >= 2),
      'two requeued messages to come again',
    )
    await context.finish(['duplicated'])
    for (const { id } of messages.slice(2)) equal(context.ledger.count(service, id), 1, `times that ${id} was seen`)
    for (const { id } of [first!, second!]) equal(context.ledger.count(service, id), 2, `times that ${id} was seen`)
  },
}

export const requeueStorm: SuiteCase = {
  id: '14',
  title: 'a storm of requeues loses nothing and keeps its delay',
  lacks: requeueLacking,
  async run(context) {
    const destination = context.topic()
    const service = context.name('storm')
    const clients = await context.clients(3)
    const [, , last] = clients
    const { capabilities } = last!
    const delayMs = delayOf(capabilities)
    const rounds = 3
    const count = 50
    const requeues = new Map<string, number[]>()
    const handle = async (delivery: Delivery) => {
      const { id } = delivery.message
      const times = requeues.get(id) ?? []
      requeues.set(id, times)
      const before = times.at(-1)
      if (before !== undefined) checkReturn(context, delivery, times.length, performance.now() - before, delayMs)
      if (times.length < rounds) {
        times.push(performance.now())
        context.wake()
        return { outcome: 'requeue', delayMs, notes: headersOf({ [FAILURES]: String(times.length) }) } as const
      }
      if (!capabilities.persistent) return { outcome: 'ack' } as const
      await aborted(delivery.recalled)
      return { outcome: 'release' } as const
    }
    const members = capabilities.services ? clients : [last!]
    const subscriptions = await Promise.all(
      members.map((transport) => context.read({ transport, service, from: [destination], handle })),
    )
    await context.publish(await context.client(), samples(destination, count), [service])
    await context.until(
      () => [...requeues.values()].filter((times) => times.length === rounds).length === count,
      `${count} messages to be requeued ${rounds} times each`,
    )
    if (!capabilities.persistent) return await context.finish(['duplicated'])
    await Promise.all(subscriptions.map((subscription) => subscription.stop()))
    const after = context.name('storm-after')
    const survivors = new Set<string>()
    await context.read({
      transport: await context.client(),
      service,
      reader: after,
      from: [destination],
      handle: ({ message }) => {
        survivors.add(message.id)
        return { outcome: 'ack' }
      },
    })
    await context.until(() => survivors.size === count, `all ${count} messages after the storm`)
    await context.pause(context.options.quietMs)
    context.judge(['duplicated', 'unexpected'])
  },
}

export const release: SuiteCase = {
  id: '13r',
  title: 'what is released, and what a rejecting handler held, comes again',
  async run(context) {
    const [sender, receiver] = await context.clients(2)
    const destination = context.queue()
    const service = context.name('releases')
    const tries = new Map<number, number>()
    await context.read({
      transport: receiver!,
      service,
      from: [destination],
      handle: ({ message }) => {
        const number = numberOf(message)
        const count = (tries.get(number) ?? 0) + 1
        tries.set(number, count)
        if (number === 0 && count === 1) return { outcome: 'release' }
        // the contract asks `deliver` not to reject; an adapter survives it all the same
        if (number === 1 && count === 1) throw new Error('as planned')
        return { outcome: 'ack' }
      },
    })
    await context.publish(sender!, samples(destination, 10), [service])
    await context.until(() => [0, 1].every((number) => (tries.get(number) ?? 0) >= 2), 'two messages to come again')
    await context.finish(['duplicated'])
  },
}

/** Not so short that it could be missed, not longer than the transport can. */
function delayOf({ maxDelayMs = 150 }: { readonly maxDelayMs?: number | undefined }): number {
  return Math.min(150, maxDelayMs)
}

function checkReturn(
  context: CaseContext,
  delivery: Delivery,
  failures: number,
  afterMs: number,
  delayMs: number,
): void {
  // clocks and timers of broker and client round differently
  if (afterMs < delayMs - 15) {
    context.broken(`requeued for ${delayMs} ms, came again after ${Math.round(afterMs)} ms`)
  }
  const noted = delivery.message.headers[FAILURES]
  if (noted === String(failures) || delivery.attempt > failures) return
  context.broken(`after ${failures} requeues the note of failures is ${String(noted)} and attempt ${delivery.attempt}`)
}

import { equal, ok } from 'node:assert/strict'
import type { CaseContext } from '../case-context.ts'
import { failureOf } from '../errors-of.ts'
import { aborted } from '../gate.ts'
import { sample, samples } from '../sample.ts'
import { fulfilledWithin, settledWithin } from '../settled-within.ts'
import type { SuiteCase } from '../suite-case.ts'

const IN_FLIGHT = 20

export const abort: SuiteCase = {
  id: '30',
  title: 'an aborted publish ends with its reason; a delivery is recalled first, and aborted only when it is lost',
  async run(context) {
    await abortedPublish(context)
    await recalledThenAborted(context)
    await abortedWhenLost(context)
  },
}

async function abortedPublish(context: CaseContext): Promise<void> {
  const [sender, receiver] = await context.clients(2)
  const destination = context.topic()
  const service = context.name('hears')
  await context.read({ transport: receiver!, service, from: [destination] })
  const reason = new Error('given up, as planned')
  const never = sample(destination, 0)
  const [refused] = sender!.publish([never], { signal: AbortSignal.abort(reason) })
  equal(await failureOf(refused!), reason, 'what a publish with an aborted signal rejects with')

  const ending = new AbortController()
  const messages = samples(destination, 100)
  const settle = messages.map(({ id }) => context.ledger.sent({ id, readers: [service] }))
  const promises = sender!.publish(messages, { signal: ending.signal })
  ending.abort(reason)
  const results = await fulfilledWithin(
    Promise.allSettled(promises),
    context.soonMs,
    'publishes whose signal was aborted',
  )
  results.forEach((result, index) => settle[index]!(result.status === 'fulfilled'))
  const others = results.filter((result) => result.status === 'rejected' && result.reason !== reason)
  equal(others.length, 0, 'publishes that an abort ended with something else than its reason')
  await context.finish()
  equal(context.ledger.count(service, never.id), 0, 'times that a message aborted before its publish came')
}

async function recalledThenAborted(context: CaseContext): Promise<void> {
  const [sender, receiver] = await context.clients(2)
  const destination = context.queue('recalled')
  const service = context.name('recalled')
  const held = { soft: context.gate(), hard: context.gate() }
  const open: { readonly recalled: AbortSignal; readonly signal: AbortSignal }[] = []
  const read = (hold: Promise<void>) =>
    context.read({
      transport: receiver!,
      service,
      from: [destination],
      maxOpen: 1,
      handle: async ({ recalled, signal }) => {
        open.push({ recalled, signal })
        context.wake()
        await hold
        return { outcome: 'ack' }
      },
    })
  const first = await read(held.soft.opened)
  const published = context.publish(sender!, samples(destination, 2), [service]).catch(() => {})
  await context.until(() => open.length === 1, 'a delivery to recall')
  let stopped = false
  const soft = first.stop({ drainTimeoutMs: 10_000 }).then(() => {
    stopped = true
  })
  await fulfilledWithin(aborted(open[0]!.recalled), context.soonMs, 'recalled, on stop')
  await context.pause(100)
  equal(open[0]!.signal.aborted, false, 'signal was aborted while stop still waits for the handler')
  equal(stopped, false, 'stop was fulfilled while a handler still ran')
  held.soft.open()
  await fulfilledWithin(soft, context.soonMs, 'stop, after its last handler was done')
  await context.pause(300)
  equal(open.length, 1, 'handlers called until 300 ms after stop was fulfilled')
  if (!receiver!.capabilities.persistent) return
  const second = await read(held.hard.opened)
  await context.until(() => open.length === 2, 'a delivery to abort')
  await fulfilledWithin(second.stop({ drainTimeoutMs: 50 }), context.soonMs, 'stop, with a handler that does not end')
  ok(open[1]!.signal.aborted, 'after drainTimeoutMs of stop, signal was not aborted')
  held.hard.open()
  await published
}

async function abortedWhenLost(context: CaseContext): Promise<void> {
  const disconnect = context.hook('disconnect', 'signal of a delivery whose connection was lost')
  if (disconnect === undefined) return
  const [sender, receiver] = await context.clients(2)
  const destination = context.queue('lost')
  const service = context.name('lost')
  const hold = context.gate()
  const signals: AbortSignal[] = []
  await context.read({
    transport: receiver!,
    service,
    from: [destination],
    handle: async ({ signal }) => {
      // a copy while the first one is open: then the first is not ours any more, and must know it
      if (signals.length > 0 && !signals[0]!.aborted) context.broken('came again before the first signal was aborted')
      signals.push(signal)
      context.wake()
      await hold.opened
      return { outcome: 'ack' }
    },
  })
  const published = context.publish(sender!, [sample(destination, 1)], [service]).catch(() => {})
  await context.until(() => signals.length === 1, 'a delivery to lose')
  await disconnect(receiver!)
  await settledWithin(Promise.race([aborted(signals[0]!), context.pause(2_000)]), context.soonMs, 'the time to notice')
  hold.open()
  await published
  await context.finish(['duplicated'])
}

export const drain: SuiteCase = {
  id: '31',
  title: 'stop starts nothing more, waits for what runs, and gives back the rest',
  async run(context) {
    const [sender, receiver, next] = await context.clients(3)
    const { persistent } = receiver!.capabilities
    const destination = context.queue()
    const service = context.name('drains')
    const last = context.gate()
    let started = 0
    let ended = 0
    const reading = await context.read({
      transport: receiver!,
      service,
      from: [destination],
      maxOpen: IN_FLIGHT,
      handle: async () => {
        started += 1
        context.wake()
        await last.opened
        await context.pause(100)
        ended += 1
        return { outcome: 'ack' }
      },
    })
    const sent = context.publish(sender!, samples(destination, 2 * IN_FLIGHT), [service])
    const published = persistent ? sent : sent.catch(() => {})
    await context.until(() => started === IN_FLIGHT, `${IN_FLIGHT} deliveries in flight`)
    const stopping = reading.stop({ drainTimeoutMs: context.soonMs })
    last.open()
    await fulfilledWithin(stopping, 2 * context.soonMs, 'stop')
    equal(ended, IN_FLIGHT, `deliveries settled when stop was fulfilled, of ${IN_FLIGHT} in flight`)
    equal(started, IN_FLIGHT, 'deliveries started, of which none after stop was called')
    await context.read({ transport: next!, service, from: [destination] })
    await published
    await context.finish()
    if (persistent) await shortDrain(context)
    else context.leftOut.push('what a short drain gives back: not persistent')
  },
}

async function shortDrain(context: CaseContext): Promise<void> {
  const [sender, receiver, next] = await context.clients(3)
  const destination = context.queue('short')
  const service = context.name('drains-short')
  const again = context.name('drains-short-after')
  const never = context.gate()
  const signals: AbortSignal[] = []
  const reading = await context.read({
    transport: receiver!,
    service,
    from: [destination],
    handle: async ({ signal }) => {
      signals.push(signal)
      context.wake()
      await never.opened
      return { outcome: 'ack' }
    },
  })
  await context.publish(sender!, samples(destination, IN_FLIGHT), [service, again])
  await context.until(() => signals.length === IN_FLIGHT, `${IN_FLIGHT} deliveries in flight`)
  await fulfilledWithin(reading.stop({ drainTimeoutMs: 100 }), context.soonMs, 'stop with a drain of 100 ms')
  const unaborted = signals.filter((signal) => !signal.aborted).length
  equal(unaborted, 0, `deliveries whose signal was not aborted by a short drain, of ${IN_FLIGHT}`)
  never.open()
  await context.read({ transport: next!, service, reader: again, from: [destination] })
  await context.finish()
}

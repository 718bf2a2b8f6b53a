import { equal, ok } from 'node:assert/strict'
import type { Delivery, Settlement } from '../../transport.ts'
import type { CaseContext } from '../case-context.ts'
import { headersOf, numberOf, sample, samples } from '../sample.ts'
import type { SuiteCase } from '../suite-case.ts'

const DELAYS_MS = [100, 400, 1_600, 0]

export const delayedRetry: SuiteCase = {
  id: '43',
  title: 'what is requeued with a delay comes neither early nor much too late, each time',
  lacks: ({ capabilities }) => (capabilities.requeue ? undefined : 'requeue'),
  async run(context) {
    const [sender, receiver] = await context.clients(2)
    const destination = context.topic()
    const service = context.name('waits')
    const { maxDelayMs = Infinity } = receiver!.capabilities
    const delaysMs = DELAYS_MS.map((delayMs) => Math.min(delayMs, maxDelayMs))
    const waiting = new Map<string, { readonly round: number; readonly sinceMs: number }>()
    const handle = ({ message }: Delivery): Settlement => {
      const before = waiting.get(message.id)
      const round = before === undefined ? 0 : before.round + 1
      if (before !== undefined) checkGap(context, delaysMs[before.round]!, performance.now() - before.sinceMs)
      if (round === delaysMs.length) return { outcome: 'ack' }
      waiting.set(message.id, { round, sinceMs: performance.now() })
      return { outcome: 'requeue', delayMs: delaysMs[round]!, notes: headersOf({ 'waybill-failures': `${round + 1}` }) }
    }
    await context.read({ transport: receiver!, service, from: [destination], handle })
    const messages = samples(destination, 10)
    await context.publish(sender!, messages, [service])
    const came = DELAYS_MS.length + 1
    await context.until(
      () => messages.every(({ id }) => context.ledger.count(service, id) >= came),
      `each message to come ${came} times`,
    )
    await context.finish(['duplicated'])
    for (const { id } of messages) equal(context.ledger.count(service, id), came, `times that ${id} came`)
    await overRestart(context)
  },
}

/** A delay that is under way when the broker ends goes on. */
async function overRestart(context: CaseContext): Promise<void> {
  if (context.capabilities().persistent !== true) return
  const broker = context.hook('broker', 'a delay over a restart')
  if (broker === undefined) return
  const [sender, receiver] = await context.clients(2)
  const destination = context.topic('restarted')
  const service = context.name('waits-over-restart')
  const delayMs = Math.min(5_000, receiver!.capabilities.maxDelayMs ?? Infinity)
  let requeuedMs = 0
  await context.read({
    transport: receiver!,
    service,
    from: [destination],
    handle: ({ message: { id } }) => {
      if (context.ledger.count(service, id) > 1) {
        const afterMs = performance.now() - requeuedMs
        if (afterMs < delayMs - 15) context.broken(`a delay of ${delayMs} ms over a restart took ${afterMs} ms`)
        return { outcome: 'ack' }
      }
      requeuedMs = performance.now()
      return { outcome: 'requeue', delayMs, notes: headersOf({ 'waybill-failures': '1' }) }
    },
  })
  const message = sample(destination, 1)
  await context.publish(sender!, [message], [service])
  await context.pause(1_000)
  await broker.restart()
  await context.until(() => context.ledger.count(service, message.id) > 1, 'what waited to come after the restart')
  await context.finish(['duplicated'])
}

function checkGap(context: CaseContext, delayMs: number, afterMs: number): void {
  const mostMs = Math.max(delayMs * 1.5, delayMs + 1_000)
  // clocks and timers of broker and client round differently
  if (afterMs >= delayMs - 15 && afterMs <= mostMs) return
  context.broken(`requeued for ${delayMs} ms, came again after ${Math.round(afterMs)} ms (at most ${mostMs} are right)`)
}

export const scheduled: SuiteCase = {
  id: '43s',
  title: 'what is to be delivered later comes later, and at once when that time is past',
  lacks: ({ capabilities }) => (capabilities.schedule ? undefined : 'schedule'),
  async run(context) {
    const [sender, receiver] = await context.clients(2)
    const destination = context.topic()
    const service = context.name('later')
    const cameAtMs = new Map<number, number>()
    await context.read({
      transport: receiver!,
      service,
      from: [destination],
      handle: ({ message }) => {
        cameAtMs.set(numberOf(message), Date.now())
        return { outcome: 'ack' }
      },
    })
    const nowMs = Date.now()
    const laterMs = nowMs + 1_500
    const past = sample(destination, 1, { deliverAtMs: nowMs - 60_000 })
    const later = sample(destination, 2, { deliverAtMs: laterMs })
    await context.publish(sender!, [later, past], [service])
    await context.finish()
    ok(cameAtMs.get(1)! < laterMs, `what was due a minute ago came after ${cameAtMs.get(1)! - nowMs} ms`)
    // the time may be the broker's, whose clock differs a little
    ok(cameAtMs.get(2)! >= laterMs - 50, `what was due in 1500 ms came after ${cameAtMs.get(2)! - nowMs} ms`)
    ok(cameAtMs.get(2)! <= laterMs + 2_500, `what was due in 1500 ms came after ${cameAtMs.get(2)! - nowMs} ms`)
  },
}

import { ok } from 'node:assert/strict'
import { ChildConsumer } from '../../child-consumer.ts'
import type { CaseContext } from '../../case-context.ts'
import { failureOf, isTyped } from '../../errors-of.ts'
import { sample, samples } from '../../sample.ts'
import { SteadyLoad } from '../../steady-load.ts'
import type { SuiteCase } from '../../suite-case.ts'
import { publishUntilConfirmed } from './broker-ends.ts'

export const brokerBlocked: SuiteCase = {
  id: '55',
  title: 'while the broker takes nothing a publish neither resolves nor is lost, and a client can be closed',
  needs: 'alarm',
  async run(context) {
    const alarm = context.options.hooks.alarm!
    const [sender, closing, receiver] = await context.clients(3)
    const destination = context.topic()
    const service = context.name('blocked')
    await context.read({ transport: receiver!, service, from: [destination] })
    await context.publish(sender!, samples(destination, 3), [service])
    await context.publish(closing!, samples(destination, 3), [service])
    await alarm.block()
    const startMs = performance.now()
    try {
      for (const transport of [sender!, closing!]) {
        const [failure] = await Promise.all(
          transport.publish([sample(destination, 10)], { timeoutMs: 2_000 }).map((promise) => failureOf(promise)),
        )
        ok(failure !== undefined, 'a publish was fulfilled while the broker takes nothing')
        ok(isTyped(failure), `a publish to the blocked broker ended with ${String(failure)}`)
      }
      const closeMs = performance.now()
      await closing![Symbol.asyncDispose]()
      const tookMs = performance.now() - closeMs
      ok(tookMs <= 2_000, `closing a client of the blocked broker took ${Math.round(tookMs)} ms`)
      await context.pause(Math.max(0, context.options.faultMs - (performance.now() - startMs)))
    } finally {
      await alarm.unblock()
    }
    await publishUntilConfirmed(context, sender!, destination, service)
    // what timed out may have been taken later
    await context.finish(['duplicated', 'unexpected'])
  },
}

export const standingStill: SuiteCase = {
  id: '56',
  title: 'after the broker, or a consumer, stood still nothing is lost and no more came twice than was open',
  needs: 'broker',
  lacks: ({ capabilities }) => (capabilities.persistent ? undefined : 'persistence'),
  async run(context) {
    const broker = context.options.hooks.broker!
    const transports = await context.clients(2)
    const destination = context.topic()
    const service = context.name('stalled')
    await context.read({ transport: await context.client(), service, from: [destination] })
    const readers = [service]
    const load = new SteadyLoad(context, { transports, destination, readers, publishers: 10, pauseMs: 50, keyed: true })
    await load.more(50)
    await broker.pause()
    try {
      await context.pause(context.options.faultMs)
    } finally {
      await broker.resume()
    }
    await load.more(50)
    await load.stop()
    await context.finish(['duplicated'])
    await frozenConsumer(context)
  },
}

/** A consumer that stood still longer than its lease finds that others have what was its own. */
async function frozenConsumer(context: CaseContext): Promise<void> {
  const hooks = context.hook('process', 'a consumer that stands still')
  if (hooks === undefined) return
  const [sender, survivor] = await context.clients(2)
  const destination = context.topic('frozen')
  const service = context.name('frozen')
  await context.declare(sender!, [destination], [service])
  const maxOpen = 10
  const from = [destination]
  await using child = await ChildConsumer.start(hooks, context, { service, from, maxOpen, holdNumber: 20 })
  const messages = samples(destination, 60)
  await context.publish(sender!, messages, [service])
  await context.until(() => child.saw(20), 'the consumer to handle a message')
  child.freeze()
  await context.pause(hooks.takeoverMs + 1_000)
  await context.read({ transport: survivor!, service, from })
  await context.until(
    () => messages.every(({ id }) => context.ledger.count(service, id) > 0),
    'the survivor to take over',
  )
  child.resume()
  await context.pause(context.options.quietMs)
  const twice = messages.filter(({ id }) => context.ledger.count(service, id) > 1).length
  // open there, handed over ahead of time, or acknowledged in vain while it stood still
  ok(twice <= 2 * maxOpen + 20, `${twice} messages came twice, of which at most ${2 * maxOpen + 20} were open`)
  await context.finish(['duplicated'])
}

import { equal, ok } from 'node:assert/strict'
import { gate } from '../gate.ts'
import { numberOf, samples } from '../sample.ts'
import type { SuiteCase } from '../suite-case.ts'

export const acknowledgement: SuiteCase = {
  id: '11',
  title: 'a delivery stays open until its handler is done, and holds back what exceeds the bound',
  async run(context) {
    const [sender, receiver] = await context.clients(2)
    const destination = context.queue()
    const service = context.name('slow')
    const first = gate()
    let delivered = 0
    await context.read({
      transport: receiver!,
      service,
      from: [destination],
      maxOpen: 1,
      handle: async () => {
        delivered += 1
        if (delivered === 1) await first.opened
        return { outcome: 'ack' }
      },
    })
    const published = context.publish(sender!, samples(destination, 2), [service])
    await context.until(() => delivered === 1, 'the first delivery')
    await context.pause(300)
    equal(delivered, 1, 'deliveries while the first was open and maxOpen was 1')
    const startMs = performance.now()
    first.open()
    await published
    await context.until(() => delivered === 2, 'the second delivery, after the first was settled')
    ok(performance.now() - startMs <= 5_000, 'the second delivery came more than 5 s after the first was settled')
    await context.finish()
  },
}

export const lateSettlement: SuiteCase = {
  id: '15',
  title: 'settling after stop, dispose or a lost channel is ignored, and the client works on',
  async run(context) {
    const [sender, receiver, passing] = await context.clients(3)
    const { persistent } = receiver!.capabilities
    const destination = context.queue()
    const service = context.name('settles-late')
    const hold = gate()
    const signals: AbortSignal[] = []
    const subscription = await context.read({
      transport: receiver!,
      service,
      from: [destination],
      handle: async ({ message, signal }) => {
        signals.push(signal)
        await hold.opened
        if (numberOf(message) === 1) throw new Error('late and failing, as planned')
        return numberOf(message) === 2 ? { outcome: 'release' } : { outcome: 'ack' }
      },
    })
    // where nothing is stored, these may be lost with their reader: their publish says so
    const early = context.publish(sender!, samples(destination, 3), [service]).catch(() => {})
    await context.until(() => signals.length === 3, 'three open deliveries')
    await subscription.stop({ drainTimeoutMs: 20 })
    await subscription.stop()
    ok(
      signals.every(({ aborted }) => aborted),
      'after stop, signal of each open delivery is aborted',
    )
    hold.open()
    await context.pause(50)
    if (persistent) {
      const fromPassing = gate()
      let open = 0
      const passingBy = await context.read({
        transport: passing!,
        service,
        from: [destination],
        handle: async () => {
          open += 1
          context.wake()
          await fromPassing.opened
          return { outcome: 'ack' }
        },
      })
      await context.until(() => open === 3, 'what was open at stop to come again')
      // stopped first, because dispose alone would give the handlers their full time to drain
      await passingBy.stop({ drainTimeoutMs: 20 })
      await passing![Symbol.asyncDispose]()
      await passing![Symbol.asyncDispose]()
      fromPassing.open()
    }
    await context.read({ transport: receiver!, service, from: [destination] })
    await context.publish(sender!, samples(destination, 10), [service])
    await early
    await context.finish(['duplicated', 'unexpected'])
    const disconnect = context.hook('disconnect', 'settling after a lost connection')
    if (disconnect === undefined) return
    const lost = gate()
    const other = context.queue('other')
    const otherService = context.name('loses-channel')
    const cut = await context.client()
    let opened = 0
    await context.read({
      transport: cut,
      service: otherService,
      from: [other],
      handle: async () => {
        opened += 1
        context.wake()
        if (opened === 1) await lost.opened
        return { outcome: 'ack' }
      },
    })
    const published = context.publish(sender!, samples(other, 1), [otherService]).catch(() => {})
    await context.until(() => opened === 1, 'a delivery to lose')
    await disconnect(cut)
    lost.open()
    await published
    await context.publish(sender!, samples(other, 10), [otherService])
    await context.finish(['duplicated', 'unexpected'])
  },
}

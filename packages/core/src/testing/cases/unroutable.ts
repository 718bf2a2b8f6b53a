import { equal, ok } from 'node:assert/strict'
import { publishFault } from '../../errors.ts'
import type { WireMessage } from '../../wire-message.ts'
import { codeOf, failureOf } from '../errors-of.ts'
import { sample, samples } from '../sample.ts'
import type { SuiteCase } from '../suite-case.ts'

const SOON_MS = 2_000

export const unroutable: SuiteCase = {
  id: '24',
  title: 'what nobody is bound to take is refused, and taken once somebody is',
  lacks: ({ capabilities }) => (capabilities.unroutable ? undefined : 'unroutable'),
  async run(context) {
    const [sender, receiver] = await context.clients(2)
    const queue = context.queue()
    const topic = context.topic()
    const service = context.name('comes-late')
    const retryable = 'destination, retryable: true'
    const refusals: [what: string, message: WireMessage, fault: string][] = [
      ['a queue that nobody reads', sample(queue, 1), retryable],
      ['the intake of an unknown service', sample({ kind: 'service', name: service }, 1), retryable],
      ['a topic that nobody reads, with mustRoute', sample(topic, 1, { mustRoute: true }), retryable],
      [
        'a reply address that nobody made',
        sample({ kind: 'reply', name: context.name('nobody') }, 1),
        'message, retryable: false',
      ],
    ]
    // the first publish also pays for the connection
    await context.publish(sender!, [sample(context.topic('beside'), 0)], [])
    for (const [what, message, fault] of refusals) {
      const startMs = performance.now()
      const [promise] = sender!.publish([message])
      const failure = await failureOf(promise!)
      equal(codeOf(failure), 'PUBLISH', `code of a publish to ${what}: ${String(failure)}`)
      const given = publishFault(failure)
      equal(`${given.scope}, retryable: ${given.retryable}`, fault, `the fault of a publish to ${what}`)
      const tookMs = Math.round(performance.now() - startMs)
      ok(tookMs <= SOON_MS, `a publish to ${what} was refused only after ${tookMs} ms`)
    }
    await context.read({ transport: receiver!, service, from: [queue, topic] })
    await context.publish(sender!, samples(queue, 5), [service])
    await context.publish(sender!, samples(topic, 5, { mustRoute: true }), [service])
    await context.publish(sender!, samples({ kind: 'service', name: service }, 5), [service])
    await context.finish()
  },
}

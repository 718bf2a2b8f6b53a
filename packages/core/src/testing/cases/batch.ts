import { deepEqual, equal } from 'node:assert/strict'
import type { Transport } from '../../transport.ts'
import type { Destination, WireMessage } from '../../wire-message.ts'
import { contentOf } from '../content.ts'
import { headersOf, sample, samples } from '../sample.ts'
import type { SuiteCase } from '../suite-case.ts'

const MAX_BYTES = 64 * 1024 * 1024

export const batch: SuiteCase = {
  id: '23',
  title: 'of many in one call exactly the refused one fails, or all where calls are atomic; none is fine too',
  async run(context) {
    const [sender, receiver] = await context.clients(2)
    const { atomicPublish } = sender!.capabilities
    const destination = context.topic()
    const service = context.name('batches')
    await context.read({ transport: receiver!, service, from: [destination] })
    equal(sender!.publish([]).length, 0, 'promises for a call without messages')
    const refused = refusable(sender!, destination)
    if (refused === undefined) {
      context.leftOut.push('one refused among many: no limit of body or headers, and not unroutable')
      await context.publish(sender!, samples(destination, context.share(1_000)), [service])
      return await context.finish()
    }
    const messages = samples(destination, context.share(1_000))
    const at = Math.floor(context.random() * messages.length)
    messages[at] = refused
    const settle = messages.map((message) =>
      context.ledger.sent({ id: message.id, readers: [service], content: contentOf(message) }),
    )
    const promises = sender!.publish(messages)
    equal(promises.length, messages.length, 'promises for that many messages')
    const results = await Promise.allSettled(promises)
    results.forEach((result, index) => settle[index]!(result.status === 'fulfilled'))
    const failed = results.flatMap((result, index) => (result.status === 'rejected' ? [index] : []))
    const expected = atomicPublish ? messages.map((_, index) => index) : [at]
    deepEqual(failed, expected, `the indexes of ${messages.length} messages that failed, where the one at ${at} had to`)
    await context.finish()
    if (atomicPublish)
      equal(context.ledger.count(service), 0, 'messages of a failed atomic call that came all the same')
    await context.publish(sender!, samples(destination, 10), [service])
    await context.finish()
  },
}

/** A message that this very carrier refuses, and no other suffers for. */
function refusable({ capabilities }: Transport, destination: Destination): WireMessage | undefined {
  const { maxBodyBytes = Infinity, maxHeaderBytes, unroutable } = capabilities
  if (maxBodyBytes <= MAX_BYTES) return sample(destination, -1, { body: new Uint8Array(maxBodyBytes + 1) })
  if (maxHeaderBytes !== undefined) {
    return sample(destination, -1, { headers: headersOf({ long: 'l'.repeat(maxHeaderBytes + 1) }) })
  }
  return unroutable ? sample({ kind: 'reply', name: 'nobody-made-this' }, -1) : undefined
}

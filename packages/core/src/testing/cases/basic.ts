import { deepEqual, equal } from 'node:assert/strict'
import type { Destination } from '../../wire-message.ts'
import type { CaseContext } from '../case-context.ts'
import { samples } from '../sample.ts'
import type { SuiteCase } from '../suite-case.ts'

export const basic: SuiteCase = {
  id: '1',
  title: 'each message arrives once, as it was sent',
  async run(context) {
    await roundTrip(context, context.topic())
    await roundTrip(context, context.queue())
  },
}

async function roundTrip(context: CaseContext, destination: Destination): Promise<void> {
  const [sender, receiver] = await context.clients(2)
  const service = context.name(`reads-${destination.kind}`)
  const places = new Set<string>()
  const prototypes = new Set<unknown>()
  await context.read({
    transport: receiver!,
    service,
    from: [destination],
    handle: ({ message }) => {
      places.add(`${message.destination.kind} ${message.destination.name}`)
      prototypes.add(Object.getPrototypeOf(message.headers))
      return { outcome: 'ack' }
    },
  })
  await context.publish(sender!, samples(destination, context.share(100)), [service])
  await context.finish()
  deepEqual([...places], [`${destination.kind} ${destination.name}`], 'the destination that messages arrived with')
  equal([...prototypes].join(), '', 'headers have a prototype: make them with Object.create(null)')
}

export const publishFirst: SuiteCase = {
  id: '2',
  title: 'what is published before a service comes waits for it',
  lacks: ({ capabilities }) => (capabilities.persistent ? undefined : 'persistent'),
  async run(context) {
    const [sender, receiver] = await context.clients(2)
    const destination = context.topic()
    const service = context.name('late')
    if (sender!.declare === undefined) {
      // without declare a service becomes known by its first subscription
      const known = await context.read({ transport: sender!, service, from: [destination] })
      await known.stop()
    } else await context.declare(sender!, [destination], [service])
    await context.publish(sender!, samples(destination, context.share(100)), [service])
    await context.read({ transport: receiver!, service, from: [destination] })
    await context.finish()
  },
}

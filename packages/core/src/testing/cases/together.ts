import { deepEqual, ok } from 'node:assert/strict'
import { defineEvent } from '../../definition.ts'
import { on } from '../../handler.ts'
import { anything } from '../anything.ts'
import { keepsOrder } from '../case-context.ts'
import { aborted } from '../gate.ts'
import { numberOf, samples } from '../sample.ts'
import type { SuiteCase } from '../suite-case.ts'

export const twoTypes: SuiteCase = {
  id: '61',
  title: 'one service handles several types, of one topic and of two',
  async run(context) {
    const service = context.name('all-types')
    const schema = anything<{ label: string }>()
    const shared = context.topic('shared')
    const events = [
      defineEvent(context.name('booked'), { schema, destination: shared }),
      defineEvent(context.name('returned'), { schema, destination: shared }),
      defineEvent(context.name('paid'), { schema, destination: context.topic('own') }),
    ]
    const [bus, sender] = await context.buses(2)
    const wrong: string[] = []
    await bus!.subscribe(
      service,
      events.map((event) =>
        on(event, ({ label }, { message }) => {
          if (label !== event.type || message.type !== event.type) wrong.push(`${label} came to ${event.type}`)
          context.ledger.seen({ id: message.id, reader: service })()
        }),
      ),
    )
    for (const event of events) {
      for (let number = 0; number < 10; number += 1) {
        await context.send(sender!, event, { label: event.type }, { readers: [service] })
      }
    }
    await context.finish()
    deepEqual(wrong, [], 'messages that came to the handler of another type')
  },
}

export const nobodyListens: SuiteCase = {
  id: '62',
  title: 'an event that nobody reads is published all the same',
  async run(context) {
    const sender = await context.client()
    const destination = context.topic()
    await context.declare(sender, [destination])
    const startMs = performance.now()
    await context.publish(sender, samples(destination, 10), [])
    ok(performance.now() - startMs < 10_000, 'publishing to a topic without readers took 10 s or more')
  },
}

export const orderedRelease: SuiteCase = {
  id: '63',
  title: 'when one of a key is released in mid-window, the rest is recalled and comes again in order',
  lacks: ({ capabilities }) => (keepsOrder(capabilities, 'key') ? undefined : 'order per key'),
  async run(context) {
    const [sender, receiver] = await context.clients(2)
    const destination = context.topic()
    const service = context.name('recalls')
    const done: number[] = []
    let released = false
    await context.read({
      transport: receiver!,
      service,
      from: [destination],
      mode: 'ordered',
      maxOpen: 20,
      handle: async ({ message, recalled }) => {
        const number = numberOf(message)
        if (number === 4 && !released) {
          await context.until(() => context.ledger.count(service) >= 8, 'deliveries behind the one released')
          released = true
          return { outcome: 'release' }
        }
        // as core does: what waits behind another of its key is not started, and given back when recalled
        if (number > done.length) await aborted(recalled)
        if (recalled.aborted) return { outcome: 'release' }
        done.push(number)
        context.wake()
        return { outcome: 'ack' }
      },
    })
    const messages = samples(destination, 20, { orderingKey: 'only' })
    const published = context.publish(sender!, messages, [service])
    await context.until(() => new Set(done).size === messages.length, 'each message to be done')
    await published
    await context.pause(context.options.quietMs)
    const firsts = done.filter((number, index) => done.indexOf(number) === index)
    deepEqual(
      firsts,
      messages.map((_, number) => number),
      'the order in which messages of one key were done',
    )
  },
}

import { AssertionError } from 'node:assert'
import { defineEvent } from '../../definition.ts'
import { on } from '../../handler.ts'
import { keepsOrder, type CaseContext } from '../case-context.ts'
import { anything } from '../anything.ts'
import { samples } from '../sample.ts'
import type { SuiteCase } from '../suite-case.ts'

export const orderSingle: SuiteCase = {
  id: '8',
  title: 'one publisher, one instance: messages come in the order they were published',
  lacks: ({ capabilities }) => (keepsOrder(capabilities, 'single') ? undefined : 'order'),
  async run(context) {
    const [sender, receiver] = await context.clients(2)
    const destination = context.topic()
    const service = context.name('in-order')
    const keyed = keepsOrder(sender!.capabilities, 'key')
    await context.read({ transport: receiver!, service, from: [destination], mode: keyed ? 'ordered' : 'compete' })
    const messages = samples(destination, context.share(1_000), { orderingKey: 'only' })
    // the key tells the checker what belongs together; a carrier without keys need not know it
    const given = keyed ? messages : messages.map((message) => ({ ...message, orderingKey: undefined }))
    const calls: Promise<void>[] = []
    for (let from = 0; from < given.length; from += 50) {
      calls.push(context.publish(sender!, given.slice(from, from + 50), [service], 'only'))
    }
    await Promise.all(calls)
    await context.finish()
  },
}

interface Numbered {
  readonly key: string
  readonly number: number
}

const keyedEvent = (context: CaseContext) =>
  defineEvent(context.name('numbered'), {
    schema: anything<Numbered>(),
    destination: context.topic(),
    orderingKey: ({ key }) => key,
  })

export const orderPerKey: SuiteCase = {
  id: '9',
  title: 'messages of one key are handled in order, those of different keys at once',
  lacks: ({ capabilities }) => (keepsOrder(capabilities, 'key') ? undefined : 'order per key'),
  async run(context) {
    const event = keyedEvent(context)
    const service = context.name('lanes')
    const running = new Set<string>()
    let met = false
    const handler = on(event, async ({ key }, { message }) => {
      if (running.has(key)) throw new AssertionError({ message: `two messages of key ${key} were handled at once` })
      running.add(key)
      const settled = context.ledger.seen({ id: message.id, reader: service })
      met ||= running.size > 1
      context.wake()
      if (!met) await context.until(() => met, 'two keys to be handled at the same time')
      running.delete(key)
      settled()
    })
    const instances = await context.buses(2)
    await Promise.all(instances.map((bus) => bus.subscribe(service, [handler], { concurrency: 8, retry: noRetry })))
    const [sender] = await context.buses(1)
    const keys = Array.from({ length: 16 }, (_, index) => `key-${index}`)
    const sends: Promise<void>[] = []
    for (let number = 0; number < context.share(200); number += 1) {
      for (const key of keys) sends.push(context.send(sender!, event, { key, number }, { key, readers: [service] }))
    }
    await Promise.all(sends)
    await context.finish()
  },
}

const noRetry = (error: unknown) => ({ deadLetter: String(error) })

export const orderUnderFailure: SuiteCase = {
  id: '10',
  title: 'while a message fails, later ones of its key wait and other keys go on',
  lacks: ({ capabilities }) => (keepsOrder(capabilities, 'key') ? undefined : 'order per key'),
  async run(context) {
    const event = keyedEvent(context)
    const service = context.name('failing')
    const [bus, sender] = await context.buses(2)
    const [failing, other] = ['failing', 'other']
    const perKey = 10
    let failures = 0
    let othersDone = 0
    await bus!.subscribe(
      service,
      [
        on(event, ({ key, number }, { message }) => {
          // fails at least twice, and until the other key is through: nothing but this suite decides how long
          if (key === failing && number === 4 && (failures < 2 || othersDone < perKey)) {
            failures += 1
            throw new Error(`failure ${failures}, as planned`)
          }
          if (key === other) othersDone += 1
          // written down when it succeeds, so that order is that of success
          context.ledger.seen({ id: message.id, reader: service })()
        }),
      ],
      { concurrency: 4, retry: () => ({ retryInMs: 20 }) },
    )
    const sends: Promise<void>[] = []
    for (let number = 0; number < perKey; number += 1) {
      for (const key of [failing!, other!]) {
        sends.push(context.send(sender!, event, { key, number }, { key, readers: [service] }))
      }
    }
    await Promise.all(sends)
    await context.until(() => othersDone === perKey, 'the other key to be handled while one key fails')
    await context.finish()
  },
}

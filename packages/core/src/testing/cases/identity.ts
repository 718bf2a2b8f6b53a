import { deepEqual, equal } from 'node:assert/strict'
import { defineEvent } from '../../definition.ts'
import { uuidv7 } from '../../ports.ts'
import type { WireMessage } from '../../wire-message.ts'
import { anything } from '../anything.ts'
import { keepsOrder, type CaseContext } from '../case-context.ts'
import { failureOf } from '../errors-of.ts'
import { assertRefusedForGood } from '../refusal.ts'
import { headersOf, sample } from '../sample.ts'
import type { SuiteCase } from '../suite-case.ts'

const PER_ROUND = 100

export const identity: SuiteCase = {
  id: '22',
  title: 'id, type, key, correlation, cause, time and trace arrive as they were sent; ids are given once',
  async run(context) {
    const [sender, receiver] = await context.clients(2)
    const destination = context.topic()
    const service = context.name('identifies')
    const came = new Map<string, WireMessage>()
    await context.read({
      transport: receiver!,
      service,
      from: [destination],
      handle: ({ message }) => {
        came.set(message.id, message)
        return { outcome: 'ack' }
      },
    })
    const message = dressed(sample(destination, 1), keepsOrder(sender!.capabilities, 'key'))
    await context.publish(sender!, [message], [service])
    await context.until(() => came.has(message.id), 'the message under its own id')
    deepEqual(named(came.get(message.id)!, message), named(message, message), 'what the message is known by')

    for (const id of [`${'long-'.repeat(60)}${uuidv7(Date.now())}`, `kůň-🐎-${uuidv7(Date.now())}`]) {
      const failure = await failureOf(context.publish(sender!, [sample(destination, 2, { id })], [service]))
      if (failure !== undefined) assertRefusedForGood(failure, `a message with an id of ${Buffer.byteLength(id)} bytes`)
    }
    await context.finish()
    await idsOfTheBus(context)
  },
}

function dressed(message: WireMessage, keyed: boolean): WireMessage {
  return {
    ...message,
    type: 'suite.dressed.v2',
    contentType: 'application/vnd.suite+json',
    correlationId: `correlates-${uuidv7(Date.now())}`,
    ...(keyed && { orderingKey: 'key of kůň 🐎' }),
    expiresAtMs: Date.now() + 3_600_000,
    attributes: {
      source: '/suite/identity',
      time: '2026-02-28T23:59:59.125Z',
      causationid: 'the cause',
      dedupekey: 'rental-4711',
      sequence: '9007199254740993',
    },
    headers: headersOf({
      traceparent: '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01',
      tracestate: 'vendor=value',
    }),
  }
}

/** What a message is known by; of attributes and headers those that were sent, because a carrier may add some. */
function named(message: WireMessage, sent: WireMessage) {
  const { id, type, contentType, correlationId, orderingKey, expiresAtMs, attributes, headers } = message
  const attributesOf = Object.fromEntries(Object.keys(sent.attributes).map((name) => [name, attributes[name]]))
  const headersSent = Object.fromEntries(Object.keys(sent.headers).map((name) => [name, headers[name]]))
  return { id, type, contentType, correlationId, orderingKey, expiresAtMs, ...attributesOf, ...headersSent }
}

async function idsOfTheBus(context: CaseContext): Promise<void> {
  const [bus] = await context.buses(1)
  const destination = context.topic('many')
  const event = defineEvent(context.name('numbered'), { schema: anything<{ number: number }>(), destination })
  const service = context.name('many')
  await context.read({ transport: await context.client(), service, from: [destination] })
  const count = context.share(2_000)
  const ids: string[] = []
  while (ids.length < count) {
    const round = Array.from({ length: PER_ROUND }, (_, number) => bus!.publish(event, { number }))
    ids.push(...(await Promise.all(round)))
  }
  equal(new Set(ids).size, ids.length, 'different ids among those that publish over a bus gave')
  for (const id of ids) context.ledger.sent({ id, readers: [service] })(true)
  await context.finish()
}

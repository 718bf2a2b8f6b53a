import { equal, ok } from 'node:assert/strict'
import type { Transport } from '../../transport.ts'
import type { Destination } from '../../wire-message.ts'
import { contentOf } from '../content.ts'
import { codeOf, isTyped } from '../errors-of.ts'
import { sample, samples } from '../sample.ts'
import { fulfilledWithin, settledWithin } from '../settled-within.ts'
import type { SuiteCase } from '../suite-case.ts'

const BATCHES = 5
const PER_CALL = 100

export const reopen: SuiteCase = {
  id: '26',
  title: 'subscribers that come and go while messages flow lose none',
  async run(context) {
    const sender = await context.client()
    const { persistent } = sender.capabilities
    const destination = context.topic()
    const service = context.name('passes-on')
    const perBatch = context.share(1_000)
    for (let batch = 0; batch < BATCHES; batch += 1) {
      const transport = await context.client()
      const reading = await context.read({ transport, service, from: [destination] })
      const published = context.publish(sender, samples(destination, perBatch), [service])
      const seen = Math.floor((batch + 0.5) * perBatch)
      await context.until(() => context.ledger.count(service) >= seen, `${seen} messages`)
      await reading.stop()
      // where nothing is stored, some may have no reader: their publish says so
      if (persistent) await published
      else await published.catch(() => {})
    }
    await context.read({ transport: await context.client(), service, from: [destination] })
    await context.finish()
  },
}

export const closingAtOnce: SuiteCase = {
  id: '27',
  title: 'clients close while they connect, twice, and with a blocked handler, in time; the others work on',
  async run(context) {
    const destination = context.topic()
    const blockedAt = context.queue()
    const [sender, ...passing] = await context.clients(11)
    await Promise.all(
      passing.map(async (transport, index) => {
        const service = context.name(`passing-${index}`)
        const opening = context.read({ transport, service, from: [destination] })
        if (index % 2 === 1) await opening
        const started = Promise.allSettled([opening])
        const closing = [transport[Symbol.asyncDispose](), transport[Symbol.asyncDispose]()]
        await fulfilledWithin(
          Promise.all(closing),
          context.soonMs,
          'disposing a client twice, while or after it subscribed',
        )
        const what = 'a subscribe during which its client was disposed'
        const [opened] = await fulfilledWithin(started, context.soonMs, what)
        if (opened.status === 'rejected') ok(isTyped(opened.reason), `${what} gave ${String(opened.reason)}`)
        else
          await fulfilledWithin(opened.value.ended, context.soonMs, 'ended, of a subscription whose client is disposed')
      }),
    )
    const stuck = await context.client()
    const service = context.name('stuck')
    const never = context.gate()
    let open = 0
    const reading = await context.read({
      transport: stuck,
      service,
      from: [blockedAt],
      handle: async () => {
        open += 1
        await never.opened
        return { outcome: 'ack' }
      },
    })
    // where nothing is stored it may be lost with its reader: its publish says so
    const published = context.publish(sender!, [sample(blockedAt, 1)], [service]).catch(() => {})
    await context.until(() => open === 1, 'a handler that blocks')
    const stopping = [reading.stop({ drainTimeoutMs: 200 }), reading.stop()]
    await fulfilledWithin(Promise.all(stopping), context.soonMs, 'stopping with a blocked handler')
    await fulfilledWithin(stuck[Symbol.asyncDispose](), context.soonMs, 'disposing with a blocked handler')
    never.open()
    await published

    const stays = context.name('stays')
    await context.read({ transport: await context.client(), service: stays, from: [destination], start: 'latest' })
    await context.publish(sender!, samples(destination, 50), [stays])
    await context.finish()
  },
}

export const closingWhilePublishing: SuiteCase = {
  id: '28',
  title: 'a publisher closed in the midst of 10,000 settles each: what it confirmed arrives',
  async run(context) {
    const [sender, receiver] = await context.clients(2)
    const destination = context.topic()
    const service = context.name('remains')
    await context.read({ transport: receiver!, service, from: [destination] })
    const messages = samples(destination, context.share(10_000))
    const half = messages.length / 2
    const wrong: unknown[] = []
    let settled = 0
    for (let from = 0; from < messages.length; from += PER_CALL) {
      const call = messages.slice(from, from + PER_CALL)
      const settle = call.map((message) =>
        context.ledger.sent({ id: message.id, readers: [service], content: contentOf(message) }),
      )
      sender!.publish(call).forEach((promise, index) => {
        promise.then(
          () => {
            settled += 1
            settle[index]!(true)
          },
          (error: unknown) => {
            settled += 1
            if (!isTyped(error)) wrong.push(error)
            settle[index]!(false)
          },
        )
      })
    }
    await context.until(() => settled >= half, 'half of the publishes')
    const closing = sender![Symbol.asyncDispose]()
    await fulfilledWithin(closing, context.options.idleTimeoutMs, 'disposing in the midst of publishes')
    await context.until(() => settled === messages.length, 'each publish to be settled once its client is disposed')
    equal(wrong.length, 0, `publishes that a close ended without a typed error, such as ${String(wrong[0])}`)
    await context.finish()
  },
}

export const useAfterClose: SuiteCase = {
  id: '29',
  title: 'a client that was disposed refuses every call with a ClosedError, and does not connect again',
  async run(context) {
    const destination = context.topic()
    const service = context.name('reads')
    const [used, unused] = await context.clients(2)
    await context.read({ transport: used!, service, from: [destination] })
    await context.publish(used!, [sample(destination, 1)], [service])
    await context.until(() => context.ledger.complete(), 'the message before the close')
    await Promise.all([used!, unused!].map((transport) => transport[Symbol.asyncDispose]()))
    for (const [what, transport] of [['one that worked', used!] as const, ['one never used', unused!] as const]) {
      const calls = callsOf(transport, context.topic('after'), context.name('after'))
      for (const [name, call] of Object.entries(calls)) {
        const label = `${name} of a disposed client (${what})`
        const result = await settledWithin(call(), context.soonMs, label)
        equal(result.status, 'rejected', `${label} was fulfilled, it must reject with a ClosedError`)
        if (result.status !== 'rejected') continue
        equal(codeOf(result.reason), 'CLOSED', `code of ${label}: ${String(result.reason)}`)
      }
      const parts = await fulfilledWithin(transport.health(), context.soonMs, `health of a disposed client (${what})`)
      ok(
        parts.some(({ state }) => state !== 'up'),
        `health of a disposed client (${what}) says that all is up`,
      )
    }
    context.judge()
  },
}

function callsOf(transport: Transport, topic: Destination, service: string) {
  const sources = [{ kind: topic.kind, name: topic.name }]
  const options = { service, sources, mode: 'compete', ackBefore: false, maxOpen: 10, maxOpenBytes: 65_536 } as const
  const calls: Record<string, () => Promise<unknown>> = {
    publish: async () => Promise.all(transport.publish([sample(topic, 1)])),
    subscribe: async () => transport.subscribe({ ...options, start: 'earliest' }, async () => ({ outcome: 'ack' })),
  }
  const { declare, openReplies } = transport
  if (declare !== undefined) {
    calls.declare = async () => transport.declare!({ destinations: [topic], subscriptions: [{ ...options }] })
  }
  if (openReplies !== undefined) {
    calls.openReplies = async () =>
      transport.openReplies!(
        () => {},
        () => {},
      )
  }
  return calls
}

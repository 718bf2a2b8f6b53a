import { inspect } from 'node:util'
import { connect } from 'amqplib'
import { uuidv7 } from '@waybill/core'
import type { Delivery, ParkedMessage, Settlement, SubscribeOptions, Transport, WireMessage } from '@waybill/core'
import { createFaultProxy } from '@waybill/core/testing'
import { describe, expect, it } from 'vitest'
import { amqp } from './index.ts'

const url = process.env.AMQP_URL!
const name = (label: string) => `amqp-test.${uuidv7(Date.now())}.${label}`

function message(destination: WireMessage['destination'], more: Partial<WireMessage> = {}): WireMessage {
  const id = uuidv7(Date.now())
  const body = new TextEncoder().encode(JSON.stringify({ id }))
  return { id, type: 't', destination, contentType: 'application/json', body, attributes: {}, headers: {}, ...more }
}

function asking(service: string, sources: SubscribeOptions['sources'], more: Partial<SubscribeOptions> = {}) {
  const bounds = { maxOpen: 100, maxOpenBytes: 1e7 }
  return { service, sources, mode: 'compete', ackBefore: false, start: 'earliest', ...bounds, ...more } as const
}

/** Collects deliveries, and hands them out to who waits for them. */
function inbox(handle: (delivery: Delivery) => Settlement | Promise<Settlement> = () => ({ outcome: 'ack' })) {
  const seen: Delivery[] = []
  const waiting: (() => void)[] = []
  return {
    seen,
    deliver: async (delivery: Delivery) => {
      seen.push(delivery)
      for (const wake of waiting.splice(0)) wake()
      return await handle(delivery)
    },
    async until(condition: () => boolean) {
      while (!condition()) await new Promise<void>((resolve) => waiting.push(resolve))
    },
  }
}

async function publish(transport: Transport, ...messages: WireMessage[]): Promise<void> {
  await Promise.all(transport.publish(messages))
}

async function rawChannel() {
  const connection = await connect(url)
  const channel = await connection.createConfirmChannel()
  return { channel, [Symbol.asyncDispose]: () => connection.close() }
}

describe('amqp, when things break', () => {
  it('heals by itself when its connections are cut: publisher, consumer and unsettled message come back', async () => {
    await using proxy = await createFaultProxy({ target: url })
    await using transport = amqp({ url: proxy.url, reconnectMs: { first: 50, max: 200 } })
    const queue = { kind: 'queue', name: name('q') } as const
    let hold: ((settlement: Settlement) => void) | undefined
    const box = inbox((delivery) => {
      if (box.seen.length > 1) return { outcome: 'ack' }
      delivery.signal.addEventListener('abort', () => hold?.({ outcome: 'ack' })) // stale: must be a no-op
      return new Promise((resolve) => (hold = resolve))
    })
    await transport.subscribe(asking(name('s'), [queue]), box.deliver)
    const first = message(queue)
    await publish(transport, first)
    await box.until(() => box.seen.length === 1)
    proxy.reset()
    await box.until(() => box.seen.length === 2)
    expect(box.seen[1]!.message.id).toBe(first.id)
    expect(box.seen[1]!.attempt).toBeGreaterThan(1)
    const second = message(queue)
    await publish(transport, second)
    await box.until(() => box.seen.length === 3)
    expect(box.seen[2]!.message.id).toBe(second.id)
    const states = async () => new Set((await transport.health()).map((part) => part.state))
    await expect.poll(states, { timeout: 15_000 }).toEqual(new Set(['up']))
  })

  it('makes a queue again that was deleted under its consumer', async () => {
    await using transport = amqp({ url })
    const queue = { kind: 'queue', name: name('q') } as const
    const box = inbox()
    await transport.subscribe(asking(name('s'), [queue]), box.deliver)
    await using raw = await rawChannel()
    await raw.channel.deleteQueue(queue.name)
    for (;;) {
      const [result] = await Promise.allSettled(transport.publish([message(queue)]))
      if (result!.status === 'fulfilled') break
      expect(result!.reason).toMatchObject({ fault: { scope: 'destination', retryable: true, mayExist: false } })
    }
    await box.until(() => box.seen.length === 1)
  })

  it('declares an exchange again that was deleted between two messages, and blames only that destination', async () => {
    await using transport = amqp({ url })
    const topic = { kind: 'topic', name: name('t') } as const
    await publish(transport, message(topic))
    await using raw = await rawChannel()
    await raw.channel.deleteExchange(topic.name)
    await expect(publish(transport, message(topic))).rejects.toMatchObject({
      fault: { scope: 'destination', retryable: true, mayExist: false },
    })
    await publish(transport, message(topic))
  })

  it('rejects what nobody reads: a queue as destination, a reply for good, a topic only when asked', async () => {
    await using transport = amqp({ url })
    const missing = name('nobody')
    const results = await Promise.allSettled(
      transport.publish([
        message({ kind: 'queue', name: missing }),
        message({ kind: 'topic', name: missing }),
        message({ kind: 'topic', name: missing }, { mustRoute: true }),
        message({ kind: 'reply', name: 'waybill.reply.gone' }),
        message({ kind: 'reply', name: 'amq.rabbitmq.reply-to.forged' }),
        message({ kind: 'reply', name: 'someones.queue' }),
      ]),
    )
    const faults = results.map((result) => (result.status === 'fulfilled' ? 'ok' : (result.reason as Faulty).fault))
    const destination = { scope: 'destination', retryable: true, mayExist: false }
    const forGood = { scope: 'message', retryable: false, mayExist: false }
    expect(faults).toEqual([destination, 'ok', destination, forGood, forGood, forGood])
  })

  it('times out a confirm that does not come, as perhaps there, and goes on when the broker does', async () => {
    await using proxy = await createFaultProxy({ target: url })
    await using transport = amqp({ url: proxy.url, confirmTimeoutMs: 300 })
    const topic = { kind: 'topic', name: name('t') } as const
    await publish(transport, message(topic))
    proxy.blackhole()
    await expect(publish(transport, message(topic))).rejects.toMatchObject({
      message: expect.stringContaining('confirmTimeoutMs') as string,
      fault: { scope: 'transport', retryable: true, mayExist: true },
    })
    proxy.heal()
    await publish(transport, message(topic))
  })

  it('holds little while the broker is away, and says that nothing was sent', async () => {
    await using proxy = await createFaultProxy({ target: url })
    proxy.refuse()
    await using transport = amqp({ url: proxy.url, confirmTimeoutMs: 300, maxPendingMessages: 10 })
    const topic = { kind: 'topic', name: name('t') } as const
    const results = await Promise.allSettled(transport.publish(Array.from({ length: 20 }, () => message(topic))))
    for (const result of results) {
      expect(result).toMatchObject({ reason: { fault: { scope: 'transport', retryable: true, mayExist: false } } })
    }
    expect(await transport.health({ timeoutMs: 100 })).toMatchObject([{ part: 'publish', state: 'down' }])
    proxy.heal()
    await expect.poll(() => transport.health().then(([part]) => part!.state), { timeout: 15_000 }).toBe('up')
  })

  it('names what is wrong with the credentials, never the password, and does not wait for the time-out', async () => {
    const wrong = new URL(url)
    wrong.password = 'very%2Fsecret'
    await using transport = amqp({ url: wrong.toString(), confirmTimeoutMs: 60_000, connectTimeoutMs: 60_000 })
    const queue = { kind: 'queue', name: name('q') } as const
    const outcomes = await Promise.allSettled([
      transport.subscribe(asking(name('s'), [queue]), inbox().deliver),
      ...transport.publish([message(queue)]),
    ])
    expect(outcomes).toMatchObject([
      { reason: { code: 'CONFIG' } },
      { reason: { fault: { scope: 'transport', mayExist: false } } },
    ])
    const said = inspect([outcomes, await transport.health()], { depth: 12, showHidden: true })
    expect(said).not.toMatch(/very.{1,3}secret/i)
  })

  it('says which queue and which argument stand in the way', async () => {
    await using raw = await rawChannel()
    const queue = { kind: 'queue', name: name('classic') } as const
    await raw.channel.assertQueue(queue.name, { arguments: { 'x-queue-type': 'classic' } })
    await using transport = amqp({ url })
    await expect(transport.subscribe(asking(name('s'), [queue]), inbox().deliver)).rejects.toMatchObject({
      code: 'CONFIG',
      message: expect.stringMatching(new RegExp(`${queue.name}' stands with another x-.*topology`)) as string,
    })
    await using looking = amqp({ url, topology: 'check' })
    await expect(looking.subscribe(asking(name('s'), []), inbox().deliver)).rejects.toMatchObject({ code: 'CONFIG' })
    await raw.channel.deleteQueue(queue.name)
  })

  it('gives foreign plain JSON to the service, by its routing key', async () => {
    await using transport = amqp({ url })
    const exchange = name('notifications/status')
    const box = inbox()
    const sources = [{ kind: 'topic', name: exchange, subjects: ['renter.*'] }] as const
    await transport.subscribe(asking(name('s'), sources), box.deliver)
    await using raw = await rawChannel()
    const body = Buffer.from('{"type":"RENTAL_EXPIRED","user_id":7}')
    raw.channel.publish(exchange, 'owner.MAINTENANCE_REQUIRED', body)
    raw.channel.publish(exchange, 'renter.RENTAL_EXPIRED', body, { contentType: 'application/json' })
    await box.until(() => box.seen.length === 1)
    const { id, type, destination, body: got } = box.seen[0]!.message
    expect({ id, type, destination }).toEqual({
      id: '',
      type: '',
      destination: { kind: 'topic', name: exchange, subject: 'renter.RENTAL_EXPIRED' },
    })
    expect(Buffer.from(got!)).toEqual(body)
  })
})

describe('amqp, dead letters', () => {
  it('keeps a message whole, lists it as often as one likes, and replays it in order to its service alone', async () => {
    await using transport = amqp({ url })
    const topic = { kind: 'topic', name: name('t') } as const
    const service = name('s')
    const other = inbox()
    let failing = true
    const box = inbox(() =>
      failing ? { outcome: 'deadLetter', notes: { 'waybill-reason': 'it broke' } } : { outcome: 'ack' },
    )
    await transport.subscribe(asking(service, [topic]), box.deliver)
    await transport.subscribe(asking(name('other'), [topic]), other.deliver)
    const sent = [1, 2, 3].map((number) => message(topic, { headers: { number: String(number) } }))
    await publish(transport, ...sent)
    await box.until(() => box.seen.length === 3)
    const list = async () => {
      const found: ParkedMessage[] = []
      for await (const parked of transport.parked!.list({ service })) found.push(parked)
      return found
    }
    await expect.poll(async () => (await list()).length).toBe(3)
    for (let again = 0; again < 25; again++) expect(await list()).toHaveLength(3)
    const parked = await list()
    expect(parked[0]).toMatchObject({ service, reason: 'it broke', attempts: 1 })
    expect(parked.map((entry) => entry.message.id)).toEqual(sent.map((entry) => entry.id))
    expect(parked[0]!.message).toMatchObject({ type: 't', destination: topic, body: sent[0]!.body })
    failing = false
    const [first, second, third] = parked.map((entry) => entry.handle) as [string, string, string]
    await Promise.all(transport.parked!.replay([second, first]))
    await box.until(() => box.seen.length === 5)
    expect(box.seen.slice(3).map((delivery) => delivery.message.id)).toEqual([sent[1]!.id, sent[0]!.id])
    expect({ ...box.seen[3]!.message.headers }).toEqual({ number: '2' })
    expect(box.seen[3]!.attempt).toBe(1)
    await Promise.all(transport.parked!.discard([third], 'tested'))
    expect(await list()).toEqual([])
    await expect(Promise.all(transport.parked!.replay([third]))).rejects.toMatchObject({ code: 'PUBLISH' })
    expect(other.seen).toHaveLength(3)
  })

  it('counts rounds through the wait queue, and brings a message back to its service with its notes', async () => {
    await using transport = amqp({ url })
    const topic = { kind: 'topic', name: name('t') } as const
    const box = inbox(({ attempt }) =>
      attempt < 3
        ? { outcome: 'requeue', delayMs: 100, notes: { 'waybill-failures': String(attempt) } }
        : { outcome: 'ack' },
    )
    await transport.subscribe(asking(name('s'), [topic]), box.deliver)
    const sent = message(topic, { headers: { bin: new Uint8Array([0, 255]) }, orderingKey: 'k' })
    await publish(transport, sent)
    await box.until(() => box.seen.length === 3)
    expect(box.seen.map((delivery) => delivery.attempt)).toEqual([1, 2, 3])
    expect(box.seen[2]!.message).toMatchObject({ id: sent.id, destination: topic, orderingKey: 'k' })
    expect({ ...box.seen[2]!.message.headers }).toEqual({ bin: new Uint8Array([0, 255]), 'waybill-failures': '2' })
  })
})

interface Faulty {
  readonly fault: object
}

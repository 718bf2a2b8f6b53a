import { connect } from 'amqplib'
import { uuidv7, type SubscribeOptions, type WireMessage } from '@waybill/core'
import { expect, it, vi } from 'vitest'
import { amqp } from './index.ts'

const url = process.env.AMQP_URL!
const service = `amqp-test.${uuidv7(Date.now())}.mail`
const queue = `${service}.letters`

const asked: SubscribeOptions = {
  service,
  sources: [{ kind: 'queue', name: queue }],
  mode: 'compete',
  ackBefore: false,
  maxOpen: 10,
  maxOpenBytes: 1e6,
  start: 'earliest',
}

const message: WireMessage = {
  id: uuidv7(Date.now()),
  type: 'letter',
  destination: { kind: 'queue', name: queue },
  contentType: 'text/plain',
  body: new TextEncoder().encode('dear reader'),
  attributes: {},
  headers: {},
}

async function deleteSuspects(): Promise<void> {
  const connection = await connect(url)
  const channel = await connection.createChannel()
  for (const name of [service, queue]) await channel.deleteQueue(`${name}.suspects`)
  await connection.close()
}

it('what operators declared is read as it is: with none, also without a queue for suspects; with check, it is asked for', async () => {
  {
    await using declares = amqp({ url })
    const subscription = await declares.subscribe(asked, async () => ({ outcome: 'ack' }))
    await subscription.stop()
  }
  await deleteSuspects()

  await using reads = amqp({ url, topology: 'none' })
  const seen: string[] = []
  let arrived!: () => void
  const arrival = new Promise<void>((resolve) => (arrived = resolve))
  await reads.subscribe(asked, async (delivery) => {
    seen.push(delivery.message.id)
    arrived()
    return { outcome: 'ack' }
  })
  await Promise.all(reads.publish([message]))
  await arrival
  expect(seen).toEqual([message.id])

  await using checks = amqp({ url, topology: 'check' })
  await expect(checks.subscribe(asked, async () => ({ outcome: 'ack' }))).rejects.toMatchObject({ code: 'CONFIG' })
})

it('tells in its health how much waits for each service', async () => {
  await using transport = amqp({ url })
  const name = `amqp-test.${uuidv7(Date.now())}.depth`
  await transport.declare!({
    destinations: [],
    subscriptions: [{ service: name, sources: [{ kind: 'queue', name: `${name}.queue` }], mode: 'compete' }],
  })
  const to = (kind: 'queue' | 'service', target: string) => ({ ...message, destination: { kind, name: target } })
  const messages = [to('service', name), to('queue', `${name}.queue`), to('queue', `${name}.queue`)]
  await Promise.all(transport.publish(messages))
  const partOf = async () => (await transport.health()).find(({ part }) => part === `queue ${name}`)
  expect(await partOf()).toBeUndefined()
  let open: (() => void) | undefined
  await transport.subscribe(
    { ...asked, service: name, sources: [{ kind: 'queue', name: `${name}.queue` }], maxOpen: 1 },
    () => new Promise((resolve) => (open = () => resolve({ outcome: 'ack' }))),
  )
  // one is open and one prefetched of each of the two queues
  await vi.waitFor(async () => expect(await partOf()).toMatchObject({ state: 'up', lag: 1 }), { timeout: 10_000 })
  await vi.waitFor(
    async () => {
      open?.()
      expect(await partOf()).toMatchObject({ state: 'up', lag: 0 })
    },
    { timeout: 10_000, interval: 20 },
  )
  open?.()
})

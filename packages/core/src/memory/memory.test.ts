import { describe, expect, it } from 'vitest'
import { publishFault } from '../errors.ts'
import type { ParkedMessage } from '../parked.ts'
import type { Delivery, Settlement, Transport } from '../transport.ts'
import type { WireMessage } from '../wire-message.ts'
import { memory } from './memory.ts'

const message = (id: string, orderingKey?: string): WireMessage => ({
  id,
  type: 't',
  destination: { kind: 'topic', name: 't' },
  contentType: 'text/plain',
  body: new Uint8Array(10),
  attributes: {},
  headers: {},
  ...(orderingKey !== undefined && { orderingKey }),
})

const service = {
  service: 's',
  sources: [{ kind: 'topic', name: 't' }],
  mode: 'ordered',
  ackBefore: false,
  maxOpen: 1,
  maxOpenBytes: 1_000,
  start: 'earliest',
} as const

/** A subscription whose deliveries the test settles by itself, in order. */
function hand() {
  const open: { readonly delivery: Delivery; settle(settlement: Settlement): void }[] = []
  return {
    open,
    deliver: (delivery: Delivery) => new Promise<Settlement>((settle) => void open.push({ delivery, settle })),
  }
}

async function listed({ parked }: Transport): Promise<readonly ParkedMessage[]> {
  const all: ParkedMessage[] = []
  for await (const item of parked!.list()) all.push(item)
  return all
}

const turn = () => new Promise((resolve) => setImmediate(resolve))

describe('the memory transport', () => {
  it('fails what waits behind a message of its key that found no room, and no other key', async () => {
    const timers: (() => void)[] = []
    const ports = { timers: { schedule: (action: () => void) => (timers.push(action), () => {}) } }
    await using transport = memory({ maxQueued: 1, ports })
    await transport.declare!({ destinations: [], subscriptions: [service] })
    const [held, first, second, other] = transport.publish([
      message('1', 'a'),
      message('2', 'a'),
      message('3', 'a'),
      message('4', 'b'),
    ])
    await held
    timers[0]!()
    expect(await first!.catch(publishFault)).toMatchObject({ scope: 'destination', retryable: true })
    expect(await second!.catch(publishFault)).toMatchObject({ scope: 'message', retryable: true })

    const { open, deliver } = hand()
    const subscription = await transport.subscribe({ ...service, start: 'latest' }, deliver)
    await turn()
    open[0]!.settle({ outcome: 'ack' })
    await other
    await turn()
    expect(open.map(({ delivery }) => delivery.message.id)).toEqual(['1', '4'])
    open[1]!.settle({ outcome: 'ack' })
    await subscription.stop()
  })

  it('lets one instance of an ordered service work on a key while others wait, and hands it over after', async () => {
    await using transport = memory()
    const one = hand()
    const two = hand()
    const first = await transport.subscribe(service, one.deliver)
    const second = await transport.subscribe(service, two.deliver)
    await Promise.all(transport.publish([message('1', 'a'), message('2', 'a'), message('3', 'b')]))
    await turn()
    expect([one, two].map(({ open }) => open.map(({ delivery }) => delivery.message.id))).toEqual([['1'], ['3']])
    const stopped = first.stop({ drainTimeoutMs: 60_000 })
    one.open[0]!.settle({ outcome: 'ack' })
    two.open[0]!.settle({ outcome: 'ack' })
    await stopped
    await turn()
    expect(two.open.map(({ delivery }) => delivery.message.id)).toEqual(['3', '2'])
    two.open[1]!.settle({ outcome: 'ack' })
    await second.stop()
  })

  it('keeps the order of the source for what is handed back one by one', async () => {
    await using transport = memory()
    const { open, deliver } = hand()
    const compete = { ...service, mode: 'compete' as const, maxOpen: 3 }
    const subscription = await transport.subscribe(compete, deliver)
    await Promise.all(transport.publish(['1', '2', '3', '4'].map((id) => message(id))))
    await turn()
    subscription.pause!()
    for (const { settle } of open.slice()) settle({ outcome: 'release' })
    await turn()
    open.length = 0
    subscription.resume!()
    await turn()
    expect(open.map(({ delivery }) => delivery.message.id)).toEqual(['1', '2', '3'])
    for (const { settle } of open.slice()) settle({ outcome: 'ack' })
    await turn()
    open.at(-1)!.settle({ outcome: 'ack' })
    await subscription.stop()
  })

  it('keeps a dead letter with its notes, and replays it to its service alone', async () => {
    await using transport = memory()
    const { open, deliver } = hand()
    await transport.subscribe(service, deliver)
    await Promise.all(transport.publish([message('1')]))
    await turn()
    open[0]!.settle({ outcome: 'deadLetter', notes: { 'waybill-reason': 'no', 'waybill-failures': '3' } })
    await turn()
    const parked = await listed(transport)
    expect(parked).toMatchObject([{ service: 's', reason: 'no', attempts: 3, message: { id: '1' } }])
    await Promise.all(transport.parked!.replay([parked[0]!.handle]))
    await turn()
    expect(open[1]!.delivery).toMatchObject({ attempt: 1, message: { id: '1', headers: {} } })
    expect(await listed(transport)).toEqual([])
    open[1]!.settle({ outcome: 'ack' })
  })
})

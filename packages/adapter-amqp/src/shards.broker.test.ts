import { fork, type ChildProcess } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { ConfigError, createBus, defineCommand, defineEvent, on, UnrecoverableError } from '@waybill/core'
import type { Bus } from '@waybill/core'
import { createFaultProxy } from '@waybill/core/testing'
import { connect, type ConsumeMessage } from 'amqplib'
import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { z } from 'zod'
import { amqp, moveShards, type AmqpOptions, type MoveProgress } from './index.ts'

const url = process.env.AMQP_URL!
const script = (file: string) => fileURLToPath(new URL(`../../../dev/faults/${file}`, import.meta.url))
const schema = z.object({ key: z.string(), n: z.number() })
const KEYS = Array.from({ length: 24 }, (_, index) => `key-${index}`)
const PATIENCE = { timeout: 30_000, interval: 50 }

let name: string
let ends: AsyncDisposableStack

beforeEach(() => {
  name = `shards-${randomUUID().slice(0, 8)}`
  ends = new AsyncDisposableStack()
})
afterEach(() => ends.disposeAsync())

const eventOf = () => defineEvent(`${name}.happened`, { destination: { name }, schema, orderingKey: ({ key }) => key })
const commandOf = () => defineCommand(name, { schema, orderingKey: ({ key }) => key })

function busOf(options: AmqpOptions): Bus {
  return ends.use(createBus({ transport: amqp({ url, ...options }), source: '/shards' }))
}

/** What was handled first of each key, in that order. */
class Ledger {
  readonly seen = new Map<string, number[]>()
  readonly doneBy = new Map<string, Set<string>>()

  add(who: string, { key, n }: { readonly key: string; readonly n: number }): void {
    const list = this.seen.get(key) ?? []
    this.seen.set(key, list)
    if (!list.includes(n)) list.push(n)
    this.doneBy.set(who, (this.doneBy.get(who) ?? new Set()).add(key))
  }

  /** Each key has all up to `count`, in order. */
  expectAll(count: number): void {
    const all = Array.from({ length: count }, (_, n) => n)
    expect(Object.fromEntries(this.seen)).toEqual(Object.fromEntries(KEYS.map((key) => [key, all])))
  }
}

async function publish(bus: Bus, from: number, to: number): Promise<void> {
  const Happened = eventOf()
  for (let n = from; n < to; n++) await Promise.all(KEYS.map((key) => bus.publish(Happened, { key, n })))
}

async function subscribe(bus: Bus, who: string, ledger: Ledger): Promise<void> {
  await bus.subscribe(name, [on(eventOf(), (data) => ledger.add(who, data))])
}

async function consumersOf(queues: readonly string[]): Promise<number[]> {
  const connection = await connect(url)
  try {
    const channel = await connection.createChannel()
    channel.on('error', () => {})
    const found: number[] = []
    for (const queue of queues) found.push((await channel.checkQueue(queue)).consumerCount)
    return found
  } finally {
    await connection.close()
  }
}

it('reads all shards alone: events by their key, commands sent straight, and what carries no key', async () => {
  const shards = { [name]: 3 }
  const bus = busOf({ shards })
  const Happened = eventOf()
  const Do = commandOf()
  const seen: unknown[] = []
  const handlers = [
    on(Happened, ({ key, n }) => void seen.push(['event', key, n])),
    on(Do, ({ key, n }) => void seen.push(['command', key, n])),
  ]
  await bus.subscribe(name, handlers)
  await bus.publish(Happened, { key: 'a', n: 1 })
  await bus.send(Do, { key: 'a', n: 2 })
  await vi.waitFor(() => expect(seen).toHaveLength(2), PATIENCE)
  // as a producer of another kind sends it: no slot, no key
  const connection = await connect(url)
  const channel = await connection.createConfirmChannel()
  const body = Buffer.from(JSON.stringify({ key: 'foreign', n: 3 }))
  channel.publish(name, 'any', body, { type: Happened.wireType, messageId: 'x', contentType: 'application/json' })
  await channel.waitForConfirms()
  await connection.close()
  await vi.waitFor(() => expect(seen).toHaveLength(3), PATIENCE)
  expect(seen).toEqual(
    expect.arrayContaining([
      ['event', 'a', 1],
      ['command', 'a', 2],
      ['event', 'foreign', 3],
    ]),
  )
})

it('names the slot to the broker alone, and to no pattern that a service binds', async () => {
  const bus = busOf({})
  await bus.publish(eventOf(), { key: 'a', n: 0 })
  const connection = await connect(url)
  const channel = await connection.createChannel()
  const seen: ConsumeMessage[] = []
  for (const pattern of ['#', '*.*.*', 'waybill.slot.*']) {
    const { queue } = await channel.assertQueue('', { exclusive: true })
    await channel.bindQueue(queue, name, pattern)
    await channel.consume(queue, (message) => void seen.push(message!), { noAck: true })
  }
  await bus.publish(eventOf(), { key: 'a', n: 1 })
  await bus.publish(eventOf(), { key: 'a', n: 2 })
  await vi.waitFor(() => expect(seen.length).toBeGreaterThanOrEqual(2), PATIENCE)
  await connection.close()
  expect(seen).toHaveLength(2)
  for (const { properties } of seen) expect(Object.keys(properties.headers!)).not.toContain('BCC')
})

it('replays a dead letter to the shard of its key', async () => {
  const bus = busOf({ shards: { [name]: 4 } })
  const Happened = eventOf()
  let refuse = true
  const seen: number[] = []
  await bus.subscribe(name, [
    on(Happened, ({ n }) => {
      if (refuse) throw new UnrecoverableError('not now')
      seen.push(n)
    }),
  ])
  await bus.publish(Happened, { key: 'key-7', n: 1 })
  const listed = async () => {
    const found = []
    for await (const entry of bus.parked.list({ service: name })) found.push(entry)
    return found
  }
  const [entry] = await vi.waitFor(async () => {
    const found = await listed()
    expect(found).toHaveLength(1)
    return found
  }, PATIENCE)
  refuse = false
  await Promise.all(bus.parked.replay([entry!.handle]))
  await vi.waitFor(() => expect(seen).toEqual([1]), PATIENCE)
})

it('divides the shards among instances that come and go, each key in order throughout', async () => {
  const shards = { [name]: 3 }
  const ledger = new Ledger()
  const publisher = busOf({})
  const [first, second, third] = [busOf({ shards }), busOf({ shards }), busOf({ shards })]
  await subscribe(first, 'first', ledger)
  await publish(publisher, 0, 10)
  await vi.waitFor(() => ledger.expectAll(10), PATIENCE)
  expect([...ledger.doneBy.keys()]).toEqual(['first'])
  await Promise.all([subscribe(second, 'second', ledger), subscribe(third, 'third', ledger)])
  let n = 10
  // goes on publishing until each of the three has its share
  for (const deadlineMs = Date.now() + 30_000; ;) {
    ledger.doneBy.clear()
    await publish(publisher, n, ++n)
    await vi.waitFor(() => ledger.expectAll(n), PATIENCE)
    const shares = [...ledger.doneBy.values()]
    if (shares.length === 3 && shares.reduce((sum, { size }) => sum + size, 0) === KEYS.length) break
    expect(Date.now()).toBeLessThan(deadlineMs)
  }
  await first.stop()
  await publish(publisher, n, n + 5)
  await vi.waitFor(() => ledger.expectAll(n + 5), PATIENCE)
}, 90_000)

it('takes over the shards of an instance that was killed, with nothing lost or out of order', async () => {
  const shards = { [name]: 4 }
  const ledger = new Ledger()
  const start = async (who: string): Promise<ChildProcess> => {
    const child = fork(script('amqp-shards.ts'), {
      env: { ...process.env, BROKER_URL: url, SERVICE: name, SHARDS: '4' },
      execArgv: ['--import', script('resolve-sources.ts')],
    })
    ends.defer(() => void child.kill('SIGKILL'))
    child.on('message', (data) => {
      if (data !== 'reading') ledger.add(who, data as { key: string; n: number })
    })
    await once(child, 'message')
    return child
  }
  const publisher = busOf({})
  const children = await Promise.all([start('a'), start('b')])
  await publish(publisher, 0, 5)
  await vi.waitFor(() => ledger.expectAll(5), PATIENCE)
  const published = publish(publisher, 5, 60)
  await vi.waitFor(
    () => expect(Math.max(...[...ledger.seen.values()].map(({ length }) => length))).toBeGreaterThan(20),
    {
      ...PATIENCE,
      interval: 1,
    },
  )
  children[0]!.kill('SIGKILL')
  await published
  await vi.waitFor(() => ledger.expectAll(60), PATIENCE)
  expect(shards[name]).toBe(4)
}, 90_000)

it('refuses another number of shards than stands, naming both', async () => {
  const divided = busOf({ shards: { [name]: 3 } })
  await subscribe(divided, 'three', new Ledger())
  await divided.stop()
  const refusal = (options: AmqpOptions) => subscribe(busOf(options), 'other', new Ledger())
  await expect(refusal({ shards: { [name]: 2 } })).rejects.toThrow(/stands in 3 shards.* is 2: move it \(moveShards\)/)
  await expect(refusal({})).rejects.toThrow(/stands in 3 shards.* is 1/)
  await expect(refusal({ shards: { [name]: 2 }, topology: 'check' })).rejects.toThrow(/stands in 3 shards.* is 2/)
  name += '.undivided'
  const whole = busOf({})
  await subscribe(whole, 'one', new Ledger())
  await whole.stop()
  const late = refusal({ shards: { [name]: 3 } })
  await expect(late).rejects.toThrow(/stands in 1 shards.* is 3/)
  await expect(late).rejects.toBeInstanceOf(ConfigError)
})

it('refuses shards of a service that is not ordered, and numbers that make no sense', async () => {
  const bus = busOf({ shards: { [name]: 3 } })
  const Unkeyed = defineEvent(`${name}.unkeyed`, { schema })
  await expect(bus.subscribe(name, [on(Unkeyed, () => {})])).rejects.toThrow(
    /shards\["shards-\w+"\] is 3, but .* is not ordered/,
  )
  for (const count of [0, 61, 1.5]) expect(() => amqp({ url, shards: { [name]: count } })).toThrow(ConfigError)
})

it('stops in time when its broker goes away while it takes its shards', async () => {
  const proxy = ends.use(await createFaultProxy({ target: url }))
  const bus = createBus({ transport: amqp({ url: proxy.url, shards: { [name]: 8 } }), source: '/shards' })
  const starting = subscribe(bus, 'one', new Ledger())
  starting.catch(() => {})
  await vi.waitFor(async () => expect(Math.max(...(await consumersOf([`${name}.1-of-8`])))).toBe(1), PATIENCE)
  proxy.refuse()
  proxy.reset()
  const startedMs = performance.now()
  await bus.stop()
  expect(performance.now() - startedMs).toBeLessThan(15_000)
})

it("reads shards that stand, with topology 'check' and 'none'", async () => {
  const shards = { [name]: 2 }
  await expect(subscribe(busOf({ shards, topology: 'check' }), 'check', new Ledger())).rejects.toThrow(/does not exist/)
  const maker = busOf({ shards })
  await subscribe(maker, 'maker', new Ledger())
  await maker.stop()
  for (const topology of ['check', 'none'] as const) {
    const ledger = new Ledger()
    const bus = busOf({ shards, topology })
    await subscribe(bus, topology, ledger)
    await publish(bus, 0, 2)
    await vi.waitFor(() => ledger.expectAll(2), PATIENCE)
    await bus.stop()
  }
})

it.each([
  [1, 3],
  [3, 2],
  [2, 1],
])(
  'moves from %i to %i while others publish: each key in order, none lost',
  async (from, to) => {
    const ledger = new Ledger()
    const publisher = busOf({})
    const old = busOf({ shards: { [name]: from } })
    const sources = [{ kind: 'topic', name }] as const
    let slow = true
    const gate = new AbortController()
    await old.subscribe(name, [
      on(eventOf(), async (data) => {
        if (slow) await once(gate.signal, 'abort')
        ledger.add('old', data)
      }),
    ])
    await publish(publisher, 0, 10)
    const progress: MoveProgress[] = []
    const moving = moveShards({ url }, { service: name, sources, to, onProgress: (at) => progress.push(at) })
    await vi.waitFor(() => expect(progress.length).toBeGreaterThan(0), PATIENCE)
    const publishing = publish(publisher, 10, 20)
    slow = false
    gate.abort()
    await vi.waitFor(() => expect(progress.at(-1)!.waiting).toBe(0), PATIENCE)
    await vi.waitFor(
      () => expect(Math.min(...KEYS.map((key) => ledger.seen.get(key)?.length ?? 0))).toBeGreaterThan(9),
      PATIENCE,
    )
    await old.stop()
    await moving
    await publishing
    expect(Math.max(...[...ledger.seen.values()].map(({ length }) => length))).toBeLessThan(20)
    await expect(subscribe(busOf({ shards: { [name]: from } }), 'old', ledger)).rejects.toThrow(ConfigError)
    await subscribe(busOf({ shards: { [name]: to } }), 'new', ledger)
    await vi.waitFor(() => ledger.expectAll(20), PATIENCE)
    const gone = from === 1 ? name : `${name}.1-of-${from}`
    await expect(consumersOf([gone])).rejects.toThrow(/NOT_FOUND|404/)
  },
  60_000,
)

it('takes up a move that ended early, and refuses another one meanwhile', async () => {
  const ledger = new Ledger()
  const old = busOf({ shards: { [name]: 2 } })
  await subscribe(old, 'old', ledger)
  const move = { service: name, sources: [{ kind: 'topic', name }] as const, to: 3 }
  await expect(moveShards({ url }, move, { timeoutMs: 1_500 })).rejects.toThrow(/not moved to 3 shards within 1500 ms/)
  const publisher = busOf({})
  await publish(publisher, 0, 3)
  await old.stop()
  await moveShards({ url }, move)
  await subscribe(busOf({ shards: { [name]: 3 } }), 'new', ledger)
  await vi.waitFor(() => ledger.expectAll(3), PATIENCE)
  await moveShards({ url }, move)
})

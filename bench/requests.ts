// What the core adds to a request: a bare round trip over the memory transport, and the same through a bus, in pairs.
// Then whether requests leave anything behind. node --expose-gc bench/requests.ts [requests] [pairs] [many]
import { setTimeout as delay } from 'node:timers/promises'
import { createBus, defineRequest, respond, systemPorts, uuidv7, type Transport, type WireMessage } from '@waybill/core'
import { memory } from '@waybill/core/memory'
import { anything, textOf } from './payload.ts'

const REQUESTS = Number(process.argv[2] ?? 100_000)
const PAIRS = Number(process.argv[3] ?? 5)
const MANY = Number(process.argv[4] ?? 1_000_000)
const IN_FLIGHT = 1_000
const TIMEOUT_MS = 30_000
const ANSWER_MS = 500
const ROUNDS = 8
const PROBES = 20_000
const DATA = textOf(191)

const Ask = defineRequest('bench.ask', { schema: anything<typeof DATA>(), reply: anything<typeof DATA>() })

type Ask = () => Promise<unknown>

/** At full speed most of what a request waits is for its neighbours: all of them share one processor. */
interface Figure {
  readonly p50Ms: number
  readonly p99Ms: number
  readonly perSecond: number
  readonly cpuMicros: number
}

async function flood(ask: Ask, count: number): Promise<Float64Array> {
  const tookMs = new Float64Array(count)
  let next = 0
  const lane = async () => {
    while (next < count) {
      const index = next++
      const startedMs = performance.now()
      await ask()
      tookMs[index] = performance.now() - startedMs
    }
  }
  await Promise.all(Array.from({ length: IN_FLIGHT }, lane))
  return tookMs
}

/** How long beyond the answer's own time 99 of 100 requests wait, each lane at its own moment. */
async function pacedP99(ask: Ask): Promise<number> {
  const beyondMs: number[] = []
  const lane = async (_: unknown, index: number) => {
    await delay((index / IN_FLIGHT) * ANSWER_MS)
    for (let round = 0; round < ROUNDS; round++) {
      const startedMs = performance.now()
      await ask()
      // the first round also warms up
      if (round > 0) beyondMs.push(performance.now() - startedMs - ANSWER_MS)
    }
  }
  await Promise.all(Array.from({ length: IN_FLIGHT }, lane))
  return beyondMs.sort((left, right) => left - right)[Math.floor(0.99 * (beyondMs.length - 1))]!
}

/** How long 99 of 100 requests take, asked one at a time beside a thousand that wait all the while. */
async function besideWaitingP99(ask: Ask, gate: Gate): Promise<number> {
  gate.close()
  const waiting = Array.from({ length: IN_FLIGHT }, () => ask())
  await gate.holds()
  const tookMs: number[] = []
  for (let probe = 0; probe < PROBES * 2; probe++) {
    const startedMs = performance.now()
    await ask()
    // the first half warms up
    if (probe >= PROBES) tookMs.push(performance.now() - startedMs)
  }
  gate.open()
  await Promise.all(waiting)
  return tookMs.sort((left, right) => left - right)[Math.floor(0.99 * (PROBES - 1))]!
}

/** Holds the first thousand answers after it was closed, until it is opened. */
class Gate {
  #held: (() => void)[] | undefined
  #full: () => void = () => {}

  close(): void {
    this.#held = []
  }

  pass(): Promise<void> | undefined {
    if (this.#held === undefined || this.#held.length === IN_FLIGHT) return undefined
    const passed = new Promise<void>((resolve) => this.#held!.push(resolve))
    if (this.#held.length === IN_FLIGHT) this.#full()
    return passed
  }

  /** Resolves once it holds them all. */
  holds(): Promise<void> {
    return new Promise((resolve) => (this.#full = resolve))
  }

  open(): void {
    const held = this.#held ?? []
    this.#held = undefined
    for (const resolve of held) resolve()
  }
}

async function measure(ask: Ask): Promise<Figure> {
  await flood(ask, IN_FLIGHT * 5)
  const startedMs = performance.now()
  const cpu = process.cpuUsage()
  const tookMs = (await flood(ask, REQUESTS)).sort()
  const { user, system } = process.cpuUsage(cpu)
  const perSecond = REQUESTS / ((performance.now() - startedMs) / 1_000)
  const at = (share: number) => tookMs[Math.floor(share * (REQUESTS - 1))]!
  return { p50Ms: at(0.5), p99Ms: at(0.99), perSecond, cpuMicros: (user + system) / REQUESTS }
}

/** The least that a round trip takes: a message there, one back, matched by an id, with the same bytes. */
async function bareRoundTrip(answerMs = 0, gate = new Gate()): Promise<{ ask: Ask; transport: Transport }> {
  const transport = memory()
  const waiting = new Map<string, () => void>()
  const replies = await transport.openReplies!(
    ({ correlationId }) => {
      waiting.get(correlationId!)?.()
      waiting.delete(correlationId!)
    },
    () => {},
  )
  const text = new TextEncoder()
  const message = (more: Partial<WireMessage>): WireMessage => ({
    id: uuidv7(systemPorts.clock.nowMs()),
    type: 'bench.ask',
    destination: { kind: 'queue', name: 'bench.ask' },
    contentType: 'application/json',
    body: text.encode(JSON.stringify(DATA)),
    attributes: {},
    headers: {},
    ...more,
  })
  const sources = [{ kind: 'queue', name: 'bench.ask' }] as const
  const options = { service: 'bench', sources, mode: 'compete', ackBefore: false, start: 'latest' } as const
  await transport.subscribe({ ...options, maxOpen: 4_000, maxOpenBytes: Infinity }, async ({ message: request }) => {
    if (answerMs > 0) await delay(answerMs)
    const held = gate.pass()
    if (held !== undefined) await held
    const destination = { kind: 'reply', name: request.replyTo! } as const
    await transport.publish([message({ destination, correlationId: request.correlationId })])[0]
    return { outcome: 'ack' }
  })
  const ask = () =>
    new Promise<void>((resolve, reject) => {
      const correlationId = uuidv7(systemPorts.clock.nowMs())
      waiting.set(correlationId, resolve)
      transport.publish([message({ correlationId, replyTo: replies.address })])[0]!.catch(reject)
    })
  return { ask, transport }
}

async function overBus(answerMs = 0, gate = new Gate()) {
  const bus = createBus({ transport: memory(), source: '/bench' })
  const answer = (data: typeof DATA) => gate.pass()?.then(() => data) ?? data
  await bus.subscribe('bench', [respond(Ask, answerMs > 0 ? (data) => delay(answerMs, data) : answer)], {
    concurrency: IN_FLIGHT + 1,
  })
  return { ask: () => bus.request(Ask, DATA, { timeoutMs: TIMEOUT_MS }), bus }
}

const figures: { readonly bare: Figure; readonly bus: Figure }[] = []
for (let pair = 0; pair < PAIRS; pair++) {
  const { ask, transport } = await bareRoundTrip()
  const bare = await measure(ask)
  await transport[Symbol.asyncDispose]()
  const through = await overBus()
  figures.push({ bare, bus: await measure(through.ask) })
  await through.bus.stop()
}
const shown = (list: readonly number[], digits: number) => {
  const sorted = [...list].sort((left, right) => left - right)
  return `${sorted[sorted.length >> 1]!.toFixed(digits)} (${sorted[0]!.toFixed(digits)}–${sorted.at(-1)!.toFixed(digits)})`
}
for (const way of ['bare', 'bus'] as const) {
  const of = (name: keyof Figure) => figures.map((pair) => pair[way][name])
  const parts = [`p50 ${shown(of('p50Ms'), 2)} ms`, `p99 ${shown(of('p99Ms'), 2)} ms`, `${shown(of('perSecond'), 0)}/s`]
  console.log(`${way.padEnd(4)} ${IN_FLIGHT} in flight: ${parts.join(', ')}`)
}
const perRequest = figures.map(({ bare, bus }) => bus.cpuMicros - bare.cpuMicros)
console.log(`core's own: ${shown(perRequest, 1)} µs of CPU a request, there and back`)

type PerWay = Record<'bare' | 'bus', number[]>
const p99s = ({ bare, bus }: PerWay) => {
  const apart = bus.map((p99Ms, pair) => p99Ms - bare[pair]!)
  return `bare ${shown(bare, 2)} ms, bus ${shown(bus, 2)} ms, apart ${shown(apart, 2)} ms`
}

// what the map of a thousand waiting requests costs the next one
const beside: PerWay = { bare: [], bus: [] }
for (let pair = 0; pair < PAIRS; pair++) {
  const gate = new Gate()
  const { ask, transport } = await bareRoundTrip(0, gate)
  beside.bare.push(await besideWaitingP99(ask, gate))
  await transport[Symbol.asyncDispose]()
  const through = await overBus(0, gate)
  beside.bus.push(await besideWaitingP99(through.ask, gate))
  await through.bus.stop()
}
console.log(`one more beside ${IN_FLIGHT} that wait, p99: ${p99s(beside)}`)

// with answers that take their time a thousand are in flight and nobody queues for the processor: what is more than that
// time is the core's own, and the timer's
const paced: PerWay = { bare: [], bus: [] }
for (let pair = 0; pair < PAIRS; pair++) {
  const { ask, transport } = await bareRoundTrip(ANSWER_MS)
  paced.bare.push(await pacedP99(ask))
  await transport[Symbol.asyncDispose]()
  const through = await overBus(ANSWER_MS)
  paced.bus.push(await pacedP99(through.ask))
  await through.bus.stop()
}
console.log(`${IN_FLIGHT} in flight, answers take ${ANSWER_MS} ms, p99 beyond that: ${p99s(paced)}`)

const { ask, bus } = await overBus()
await flood(ask, IN_FLIGHT * 20)
const heap = () => {
  globalThis.gc?.()
  return process.memoryUsage().heapUsed / 1_048_576
}
const before = heap()
await flood(ask, MANY)
const after = heap()
const text = `heap ${before.toFixed(1)} MiB before, ${after.toFixed(1)} MiB after`
console.log(`${MANY} requests: ${text}${globalThis.gc === undefined ? ' (give --expose-gc)' : ''}`)
await bus.stop()
process.exit(0)

// What the core adds to a request: a bare round trip over the memory transport, and the same through a bus, in pairs.
// Then whether requests leave anything behind. node --expose-gc bench/requests.ts [requests] [pairs] [many]
import { setTimeout as delay } from 'node:timers/promises'
import { createBus, defineRequest, respond, systemPorts, uuidv7, type Transport, type WireMessage } from '@waybill/core'
import { memory } from '@waybill/core/memory'

const REQUESTS = Number(process.argv[2] ?? 100_000)
const PAIRS = Number(process.argv[3] ?? 5)
const MANY = Number(process.argv[4] ?? 1_000_000)
const IN_FLIGHT = 1_000
const TIMEOUT_MS = 30_000
const ANSWER_MS = 500
const ROUNDS = 8
const DATA = { text: 'x'.repeat(180) }

/** A schema that says yes, for the cost of the core without one. */
const anything = {
  '~standard': { version: 1, vendor: 'bench', validate: (value: unknown) => ({ value: value as typeof DATA }) },
} as const
const Ask = defineRequest('bench.ask', { schema: anything, reply: anything })

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
async function bareRoundTrip(answerMs = 0): Promise<{ ask: Ask; transport: Transport }> {
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

async function overBus(answerMs = 0) {
  const bus = createBus({ transport: memory(), source: '/bench' })
  await bus.subscribe('bench', [respond(Ask, answerMs > 0 ? (data) => delay(answerMs, data) : (data) => data)], {
    concurrency: IN_FLIGHT,
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

// with answers that take their time a thousand are in flight and nobody queues for the processor: what is more than that
// time is the core's own, and the timer's
const paced: Record<'bare' | 'bus', number[]> = { bare: [], bus: [] }
for (let pair = 0; pair < PAIRS; pair++) {
  const { ask, transport } = await bareRoundTrip(ANSWER_MS)
  paced.bare.push(await pacedP99(ask))
  await transport[Symbol.asyncDispose]()
  const through = await overBus(ANSWER_MS)
  paced.bus.push(await pacedP99(through.ask))
  await through.bus.stop()
}
const apart = paced.bus.map((p99Ms, pair) => p99Ms - paced.bare[pair]!)
const both = `bare ${shown(paced.bare, 2)} ms, bus ${shown(paced.bus, 2)} ms`
console.log(
  `${IN_FLIGHT} in flight, answers take ${ANSWER_MS} ms, p99 beyond that: ${both}, apart ${shown(apart, 2)} ms`,
)

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

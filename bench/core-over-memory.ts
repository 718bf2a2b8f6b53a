// What the core adds to a message: the memory transport alone, and the same through a bus, in pairs in one process.
// node bench/core-over-memory.ts [messages] [pairs]
import { createBus, defineEvent, on, systemPorts, uuidv7, type WireMessage } from '@waybill/core'
import { memory } from '@waybill/core/memory'
import { z } from 'zod'

const MESSAGES = Number(process.argv[2] ?? 200_000)
const PAIRS = Number(process.argv[3] ?? 5)
const WINDOW = 1_000
const DATA = { text: 'x'.repeat(180) }

const schema = z.object({ text: z.string() })
/** A schema that says yes, for the cost of the core without one. */
const anything = {
  '~standard': { version: 1, vendor: 'bench', validate: (value: unknown) => ({ value: value as typeof DATA }) },
} as unknown as typeof schema

interface Figure {
  readonly perSecond: number
  readonly cpuMicros: number
}

async function measure(send: () => Promise<unknown>, received: Promise<void>): Promise<Figure> {
  const cpu = process.cpuUsage()
  const startedMs = performance.now()
  const lane = async () => {
    for (let count = 0; count < MESSAGES / WINDOW; count++) await send()
  }
  await Promise.all(Array.from({ length: WINDOW }, lane))
  await received
  const { user, system } = process.cpuUsage(cpu)
  const total = Math.ceil(MESSAGES / WINDOW) * WINDOW
  return { perSecond: total / ((performance.now() - startedMs) / 1_000), cpuMicros: (user + system) / total }
}

function counter() {
  const total = Math.ceil(MESSAGES / WINDOW) * WINDOW
  let left = total
  let done!: () => void
  const all = new Promise<void>((resolve) => (done = resolve))
  return { all, count: () => void (--left === 0 && done()) }
}

async function bare(): Promise<Figure> {
  const transport = memory()
  const { all, count } = counter()
  const sources = [{ kind: 'topic', name: 'bench' }] as const
  const options = { service: 'bench', sources, mode: 'compete', ackBefore: false, start: 'latest' } as const
  await using _ = await transport.subscribe({ ...options, maxOpen: WINDOW, maxOpenBytes: Infinity }, () => {
    count()
    return Promise.resolve({ outcome: 'ack' })
  })
  const body = new TextEncoder().encode(JSON.stringify(DATA))
  const message = (): WireMessage => ({
    id: uuidv7(systemPorts.clock.nowMs()),
    type: 'bench',
    destination: { kind: 'topic', name: 'bench' },
    contentType: 'application/json',
    body,
    attributes: {},
    headers: {},
  })
  return await measure(() => transport.publish([message()])[0]!, all)
}

async function throughBus(checked: typeof schema): Promise<Figure> {
  const Bench = defineEvent('bench', { schema: checked })
  const { all, count } = counter()
  await using bus = createBus({ transport: memory(), source: '/bench', limits: { maxPendingPublishes: 2 * WINDOW } })
  await bus.subscribe('bench', [on(Bench, count)], { concurrency: 250 })
  return await measure(() => bus.publish(Bench, DATA), all)
}

const ways = { 'bare transport': bare, bus: () => throughBus(anything), 'bus, zod': () => throughBus(schema) }
const figures = new Map<string, Figure[]>(Object.keys(ways).map((way) => [way, []]))
for (let pair = 0; pair < PAIRS; pair++) {
  for (const [way, run] of Object.entries(ways)) figures.get(way)!.push(await run())
}
for (const [way, all] of figures) {
  const of = (name: keyof Figure) => all.map((figure) => figure[name]).sort((left, right) => left - right)
  const shown = (list: readonly number[], digits: number) =>
    `${list[list.length >> 1]!.toFixed(digits)} (${list[0]!.toFixed(digits)}–${list.at(-1)!.toFixed(digits)})`
  console.log(`${way.padEnd(15)} ${shown(of('perSecond'), 0)} msg/s, ${shown(of('cpuMicros'), 2)} µs of CPU a message`)
}

// What the core adds to a message: the memory transport alone, and the same through a bus, in pairs in one process.
// node bench/core-over-memory.ts [messages] [pairs]
import { createBus, defineEvent, on, systemPorts, uuidv7, type WireMessage } from '@waybill/core'
import { memory } from '@waybill/core/memory'
import { z } from 'zod'

const MESSAGES = Number(process.argv[2] ?? 500_000)
const PAIRS = Number(process.argv[3] ?? 5)
/** Messages on their way at once: the next ones are published when these were handled. */
const ROUND = 500
const ROUNDS = Math.ceil(MESSAGES / ROUND)
const DATA = { text: 'x'.repeat(180) }

const schema = z.object({ text: z.string() })
/** A schema that says yes, for the cost of the core without one. */
const anything = {
  '~standard': { version: 1, vendor: 'bench', validate: (value: unknown) => ({ value: value as typeof DATA }) },
} as unknown as typeof schema

interface Figure {
  readonly perSecond: number
  readonly cpuMicros: number
  readonly heapGrowthMiB: number
}

/** Counts what was handled, and tells when a round is whole. */
class Rounds {
  #left = 0
  #whole = () => {}

  begin(): Promise<void> {
    this.#left = ROUND
    return new Promise((resolve) => (this.#whole = resolve))
  }

  handled = (): void => {
    if (--this.#left === 0) this.#whole()
  }
}

async function measure(publish: () => Promise<unknown>, rounds: Rounds): Promise<Figure> {
  const run = async (count: number) => {
    for (let round = 0; round < count; round++) {
      const whole = rounds.begin()
      const published: Promise<unknown>[] = []
      for (let message = 0; message < ROUND; message++) published.push(publish())
      await Promise.all(published)
      await whole
    }
  }
  await run(100)
  const heap = heapMiB()
  const cpu = process.cpuUsage()
  const startedMs = performance.now()
  await run(ROUNDS)
  const { user, system } = process.cpuUsage(cpu)
  const total = ROUNDS * ROUND
  const perSecond = total / ((performance.now() - startedMs) / 1_000)
  return { perSecond, cpuMicros: (user + system) / total, heapGrowthMiB: heapMiB() - heap }
}

/** What is held after a full collection, where node was started with --expose-gc. */
function heapMiB(): number {
  globalThis.gc?.()
  return process.memoryUsage().heapUsed / 1_048_576
}

async function bare(): Promise<Figure> {
  await using transport = memory()
  const rounds = new Rounds()
  const sources = [{ kind: 'topic', name: 'bench' }] as const
  const options = { service: 'bench', sources, mode: 'compete', ackBefore: false, start: 'latest' } as const
  await transport.subscribe({ ...options, maxOpen: 2 * ROUND, maxOpenBytes: Infinity }, () => {
    rounds.handled()
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
  return await measure(() => transport.publish([message()])[0]!, rounds)
}

async function throughBus(checked: typeof schema, waits = false): Promise<Figure> {
  const Bench = defineEvent('bench', { schema: checked })
  const rounds = new Rounds()
  await using bus = createBus({ transport: memory(), source: '/bench' })
  const handler = waits ? async () => rounds.handled() : rounds.handled
  await bus.subscribe('bench', [on(Bench, handler)], { concurrency: 250 })
  return await measure(() => bus.publish(Bench, DATA), rounds)
}

const ways = {
  'bare transport': bare,
  bus: () => throughBus(anything),
  'bus, zod': () => throughBus(schema),
  'bus, async handler': () => throughBus(anything, true),
}
const figures = new Map<string, Figure[]>(Object.keys(ways).map((way) => [way, []]))
for (let pair = 0; pair < PAIRS; pair++) {
  for (const [way, run] of Object.entries(ways)) figures.get(way)!.push(await run())
}
for (const [way, all] of figures) {
  const of = (name: keyof Figure) => all.map((figure) => figure[name]).sort((left, right) => left - right)
  const shown = (list: readonly number[], digits: number) =>
    `${list[list.length >> 1]!.toFixed(digits)} (${list[0]!.toFixed(digits)}–${list.at(-1)!.toFixed(digits)})`
  const heap = globalThis.gc === undefined ? '' : `, heap ${shown(of('heapGrowthMiB'), 1)} MiB more`
  const rates = `${shown(of('perSecond'), 0)} msg/s, ${shown(of('cpuMicros'), 2)} µs of CPU a message`
  console.log(`${way.padEnd(18)} ${rates}${heap}`)
}

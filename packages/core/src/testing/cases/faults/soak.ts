import { ok } from 'node:assert/strict'
import type { CaseContext } from '../../case-context.ts'
import { heldBytes } from '../../held-bytes.ts'
import { SteadyLoad } from '../../steady-load.ts'
import type { SuiteCase } from '../../suite-case.ts'

const MAX_GROWTH_BYTES = 64 * 1_024 * 1_024
const LONGEST_CALM_MS = 2_000

type Fault = () => Promise<void>

export const soak: SuiteCase = {
  id: '60',
  title: 'faults of all kinds at random times, drawn from the seed: nothing is lost and each key keeps its order',
  needs: 'broker',
  lacks: ({ capabilities: { persistent, order } }) => {
    if (persistent !== true) return 'persistence'
    return order === 'key' || order === 'total' ? undefined : 'order per key'
  },
  async run(context) {
    const destination = context.topic()
    const service = context.name('soaked')
    const transports = await context.clients(3)
    const members = context.capabilities().services === true ? 3 : 1
    for (let member = 0; member < members; member += 1) {
      await context.read({
        transport: await context.client(),
        service,
        from: [destination],
        mode: 'ordered',
        maxOpen: 64,
      })
    }
    const readers = [service]
    const load = new SteadyLoad(context, { transports, destination, readers, publishers: 3, pauseMs: 10, keyed: true })
    await load.more(30)
    const before = heldBytes()
    const endMs = performance.now() + context.options.soakMs
    const faults = await faultsOf(context)
    const drawn: string[] = []
    while (performance.now() < endMs) {
      await context.pause(context.random() * LONGEST_CALM_MS)
      const [name, fault] = faults[Math.floor(context.random() * faults.length)]!
      drawn.push(name)
      await fault()
      await load.more(10)
    }
    await load.stop()
    await context.finish(['duplicated'])
    context.leftOut.push(`${load.confirmed} messages through ${drawn.length} faults: ${drawn.join(', ')}`)
    const grown = heldBytes() - before
    ok(grown < MAX_GROWTH_BYTES, `memory grew by ${Math.round(grown / 1_048_576)} MiB`)
  },
}

/** What the hooks make possible; a broker that is killed or stands still, at least. */
async function faultsOf(context: CaseContext): Promise<readonly (readonly [string, Fault])[]> {
  const { broker, alarm, closeChannels, disconnect } = context.options.hooks
  const still = async () => {
    await broker!.pause()
    try {
      await context.pause(context.random() * Math.min(10_000, context.options.faultMs))
    } finally {
      await broker!.resume()
    }
  }
  const blocked = async () => {
    await alarm!.block()
    try {
      await context.pause(context.random() * Math.min(5_000, context.options.faultMs))
    } finally {
      await alarm!.unblock()
    }
  }
  const victim = disconnect && (await context.client())
  return [
    ['restart', () => broker!.restart()],
    ['kill', () => broker!.kill().then(() => broker!.restart())],
    ['stand still', still],
    ...(alarm === undefined ? [] : [['block', blocked] as const]),
    ...(closeChannels === undefined ? [] : [['close channels', () => closeChannels()] as const]),
    ...(disconnect === undefined ? [] : [['disconnect', () => disconnect(victim!)] as const]),
  ]
}

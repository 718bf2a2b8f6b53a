import type { Delivery } from '../../../transport.ts'
import { SteadyLoad } from '../../steady-load.ts'
import type { SuiteCase } from '../../suite-case.ts'

const EVERY_MS = 2_000
const MOST_MEMBERS = 4

export const handover: SuiteCase = {
  id: '59',
  title: 'members of a service come and go under load: nothing is lost, no key is handled by two at once',
  needs: 'broker',
  lacks: ({ capabilities: { persistent, services, order } }) => {
    if (persistent !== true) return 'persistence'
    if (services !== true) return 'services'
    return order === 'key' || order === 'total' ? undefined : 'order per key'
  },
  async run(context) {
    const destination = context.topic()
    const service = context.name('shared')
    const transports = await context.clients(2)
    const running = new Set<string>()
    /** As the core does: one delivery of a key at a time in one process, in order. */
    const member = () => {
      const lanes = new Map<string, Promise<void>>()
      return async ({ message, recalled }: Delivery) => {
        const key = message.orderingKey ?? ''
        const before = lanes.get(key)
        let done = () => {}
        lanes.set(key, new Promise((resolve) => (done = resolve)))
        await before
        try {
          if (recalled.aborted) return { outcome: 'release' } as const
          if (running.has(key)) context.broken(`two members handle ${key} at once`)
          running.add(key)
          await context.pause(context.random() * 10)
          running.delete(key)
          return { outcome: 'ack' } as const
        } finally {
          done()
        }
      }
    }
    const join = async () =>
      await context.read({
        transport: await context.client(),
        service,
        from: [destination],
        mode: 'ordered',
        maxOpen: 64,
        handle: member(),
      })
    const members = [await join()]
    const readers = [service]
    const load = new SteadyLoad(context, { transports, destination, readers, publishers: 16, pauseMs: 20, keyed: true })
    const endMs = performance.now() + context.options.soakMs
    while (performance.now() < endMs) {
      await context.pause(EVERY_MS)
      const leaves = members.length === MOST_MEMBERS || (members.length > 1 && context.random() < 0.5)
      if (leaves) await members.splice(Math.floor(context.random() * members.length), 1)[0]!.stop()
      else members.push(await join())
    }
    await load.stop()
    await context.finish(['duplicated'])
  },
}

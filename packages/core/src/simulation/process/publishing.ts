import { publishFault } from '../../errors.ts'
import { Glimpsed, Moved, Noted, Unheard, Work } from '../definitions.ts'
import type { Intent } from '../plan.ts'
import type { SimulatedProcess } from './simulated-process.ts'

const EVENTS = { noted: Noted, moved: Moved, glimpsed: Glimpsed, unheard: Unheard }

/** Publishes the outbox of its process until each message is confirmed or refused for good, in order, a few at once. */
export async function publishAll(process: SimulatedProcess): Promise<void> {
  const { world } = process
  const outbox = world.outboxOf(process.plan)
  await process.sleep(world.chance.between(0, 3_000))
  while (outbox.length > 0) {
    const batch = outbox.slice(0, world.chance.between(1, 4))
    const ends = await Promise.all(batch.map((intent) => publishOne(process, intent)))
    if (ends.includes('closed')) return
    judgePrefix(process, batch, ends)
    for (const [index, intent] of batch.entries()) {
      if (ends[index] === 'refused') world.order.excuse(intent.id)
      if (ends[index] === 'confirmed' || ends[index] === 'refused') outbox.splice(outbox.indexOf(intent), 1)
    }
    await process.sleep(world.chance.between(0, 300))
  }
}

type End = 'confirmed' | 'failed' | 'refused' | 'overload' | 'closed'

async function publishOne(process: SimulatedProcess, { id, kind, data }: Intent): Promise<End> {
  const { world, bus } = process
  const options = { id, timeoutMs: world.chance.between(1_000, 6_000) }
  try {
    const published = kind === 'work' ? bus.send(Work, data, options) : bus.publish(EVENTS[kind], data, options)
    await world.promises.watch(process, `${process.name} publishes ${id}`, published)
    if (kind !== 'glimpsed') world.stores.published(id)
    return 'confirmed'
  } catch (error) {
    const { code, message } = error as { readonly code?: unknown; readonly message?: unknown }
    world.trace.add(`${process.name} could not publish ${id}: ${String(message)}`)
    if (code === 'CLOSED') return 'closed'
    if (code === 'OVERLOAD') {
      // never handed over, unlike those of its key behind it: whoever does not wait gives up order here
      world.order.excuse(id)
      return 'overload'
    }
    const { scope, retryable } = publishFault(error)
    return scope === 'message' && !retryable ? 'refused' : 'failed'
  }
}

/** Of one key, what was confirmed is a prefix of what was handed over (R4). */
function judgePrefix({ name, world }: SimulatedProcess, batch: readonly Intent[], ends: readonly End[]): void {
  const failed = new Set<string>()
  for (const [index, { id, data }] of batch.entries()) {
    if (data.key === undefined) continue
    const end = ends[index]!
    if (end === 'confirmed' && failed.has(data.key)) {
      world.verdicts.add(`${name}: ${id} is confirmed although an earlier one of its key failed`)
    }
    if (end === 'failed' || end === 'refused') failed.add(data.key)
  }
}

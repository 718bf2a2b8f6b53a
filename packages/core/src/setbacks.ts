import type { IntakeContext } from './intake-context.ts'
import { writeNotes, type Notes } from './notes.ts'
import { sleep } from './ports.ts'
import { reasonOf } from './retry.ts'
import type { Settlement } from './transport.ts'
import { unlessAborted } from './unless-aborted.ts'
import type { Work } from './work.ts'

const ACK: Settlement = Object.freeze({ outcome: 'ack' })
const PARK_FIRST_MS = 100
const PARK_MAX_MS = 10_000

/** How a message that could not be handled leaves: requeued with its notes, or given up on and kept. */
export class Setbacks {
  readonly #context: IntakeContext
  #parkingSinceMs: number | undefined

  constructor(context: IntakeContext) {
    this.#context = context
  }

  /** Since when messages given up on can't be parked. */
  get parkingSinceMs(): number | undefined {
    return this.#parkingSinceMs
  }

  /** Whether a message can be requeued: the carrier does it, and the message has no place in an order to lose. */
  canRequeue({ message }: Work): boolean {
    const { capabilities, options } = this.#context
    return capabilities.requeue !== undefined && !(options.ordered && message.orderingKey !== undefined)
  }

  /** One round more. */
  requeue(work: Work, delayMs: number, reason: string): Settlement {
    return this.requeueUncounted(work, delayMs, reason, work.notes.rounds + 1)
  }

  requeueUncounted(work: Work, delayMs: number, reason: string, rounds = work.notes.rounds): Settlement {
    const { bus, capabilities, options } = this.#context
    const { maxDelayMs = Infinity } = capabilities
    const notes = writeNotes(options.service, { ...notesOf(work), rounds }, reason, bus.ports.clock.nowMs())
    return { outcome: 'requeue', delayMs: Math.min(delayMs, maxDelayMs), notes }
  }

  /** Given up on: parked where a store is given, then acked; else the carrier keeps it. */
  async deadLetter(work: Work, reason: string): Promise<Settlement> {
    const { bus, options } = this.#context
    const { service } = options
    const nowMs = bus.ports.clock.nowMs()
    const notes = writeNotes(service, notesOf(work), reason, nowMs)
    const { id, type } = work.message
    const { signal } = work.delivery
    bus.counters.deadLettered++
    work.fate = 'deadLetter'
    const given = notes['waybill-reason']
    bus.logger.error({ service, id, type, attempts: work.attempt - 1, reason: given }, 'message given up on')
    if (bus.parked === undefined) return { outcome: 'deadLetter', notes }
    const message = {
      ...work.message,
      headers: Object.assign(Object.create(null), work.message.headers, notes) as never,
    }
    const attempts = Math.max(1, work.attempt - 1)
    const item = { service, reason: notes['waybill-reason'] as string, attempts, parkedAtMs: nowMs, message }
    for (let waitMs = PARK_FIRST_MS; ; waitMs = Math.min(PARK_MAX_MS, waitMs * 2)) {
      try {
        // a store may answer late or never, whatever it was asked
        await unlessAborted(bus.parked.park([item], { signal })[0]!, signal)
        this.#parkingSinceMs = undefined
        return ACK
      } catch (error) {
        this.#parkingSinceMs ??= bus.ports.clock.nowMs()
        bus.logger.error({ service, id, reason: reasonOf(error) }, 'message not parked, will try again')
        // the delivery stays open until it is safe, or not ours any more
        await sleep(bus.ports.timers, waitMs * (0.5 + bus.ports.random() / 2), signal)
      }
    }
  }
}

function notesOf(work: Work): Notes {
  const firstFailedAtMs = work.notes.firstFailedAtMs ?? work.firstFailedAtMs
  return { ...work.notes, failures: work.failuresBefore + work.failures, firstFailedAtMs }
}

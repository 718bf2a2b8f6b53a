import { publishFault, reasonOf, sleep } from '@waybill/core'
import type { WireHeaders } from '@waybill/core'
import type { AmqpMessage } from './client.ts'
import type { Session } from './connection.ts'
import type { ResolvedOptions } from './options.ts'
import type { ConfirmPublisher } from './publisher.ts'
import { stepFor } from './retry-ladder.ts'
import type { Tap } from './tap.ts'
import { waitName } from './topology.ts'
import type { TopologyRoom } from './topology.ts'
import { OWN, attemptOf, copyProperties } from './wire.ts'
import type { Outgoing } from './wire.ts'

/** Where a copy goes, and what it says beside what the original says. */
export type CopyTarget =
  | { readonly to: 'deadLetters'; readonly notes: WireHeaders }
  | { readonly to: 'home'; readonly delayMs: number; readonly notes: WireHeaders }
  | { readonly to: 'suspects' }

interface CopierRooms {
  readonly publisher: ConfirmPublisher
  readonly options: ResolvedOptions
  readonly topology: TopologyRoom
}

/** Moves a message from the queue it was read from to another: a confirmed copy first, then the ack. */
export class Copier {
  readonly #service: string
  readonly #rooms: CopierRooms
  readonly #giveUp: AbortSignal
  #problem: string | undefined

  constructor(service: string, rooms: CopierRooms, giveUp: AbortSignal) {
    this.#service = service
    this.#rooms = rooms
    this.#giveUp = giveUp
  }

  /** Why a message stays open. */
  get problem(): string | undefined {
    return this.#problem
  }

  /** Tries for as long as the delivery is ours. */
  async move(tap: Tap, raw: AmqpMessage, target: CopyTarget): Promise<void> {
    const { publisher, options } = this.#rooms
    const destination = { kind: 'service' as const, name: this.#service }
    let current = target
    for (let attempt = 0; tap.live && !this.#giveUp.aborted; attempt++) {
      const { outgoing, needs } = this.#copyOf(tap, raw, current)
      try {
        await publisher.copy(outgoing, destination, needs)
        this.#problem = undefined
        tap.ack(raw)
        tap.flush() // until then there are two of it
        return
      } catch (error) {
        if (needs !== undefined) publisher.forget(needs.key)
        this.#problem = `a message of "${this.#service}" stays open: ${(error as Error).message}`
        options.logger.error({ service: this.#service, reason: reasonOf(error) }, 'copy of a failed message refused')
        // the notes made it too large for the wire: a short reason is better than none
        if (!publishFault(error).retryable && 'notes' in current)
          current = { ...current, notes: shortened(current.notes) }
        const boundMs = Math.min(30_000, 200 * 2 ** Math.min(attempt, 20))
        const waiting = AbortSignal.any([tap.lost.signal, this.#giveUp])
        await sleep(options.ports.timers, boundMs * (0.5 + 0.5 * options.ports.random()), waiting).catch(() => {})
      }
    }
  }

  #copyOf(tap: Tap, raw: AmqpMessage, target: CopyTarget) {
    const { topology, options } = this.#rooms
    const service = this.#service
    const body = { content: raw.content, mandatory: true }
    if (target.to === 'suspects') {
      // it was not tried, only moved
      const properties = copyProperties(raw, { [OWN.attempts]: String(attemptOf(raw) - 1) })
      const outgoing: Outgoing = { ...body, exchange: '', routingKey: topology.suspectQueue(tap.queue), properties }
      return { outgoing, needs: undefined }
    }
    const attempts = { [OWN.attempts]: String(attemptOf(raw)) }
    if (target.to === 'deadLetters') {
      const marks = { [OWN.handle]: options.ports.newId(), [OWN.parkedAt]: String(options.ports.clock.nowMs()) }
      const properties = copyProperties(raw, { ...target.notes, ...attempts, ...marks })
      const outgoing: Outgoing = { ...body, exchange: '', routingKey: topology.deadLetterQueue(service), properties }
      const declare = (session: Session) => topology.declareDeadLetters(session, service)
      return { outgoing, needs: { key: `dead letters of ${service}`, declare } }
    }
    const properties = copyProperties(raw, { ...target.notes, ...attempts })
    if (target.delayMs <= 0) {
      const outgoing: Outgoing = { ...body, exchange: '', routingKey: tap.queue, properties }
      return { outgoing, needs: undefined }
    }
    const stepMs = stepFor(options.retryStepsMs, target.delayMs)
    const name = waitName(stepMs)
    const outgoing: Outgoing = { ...body, exchange: name, routingKey: tap.queue, properties }
    return { outgoing, needs: { key: name, declare: (session: Session) => topology.declareWait(session, stepMs) } }
  }
}

function shortened(notes: WireHeaders): WireHeaders {
  return Object.fromEntries(
    Object.entries(notes).map(([name, value]) => [name, typeof value === 'string' ? value.slice(0, 100) : value]),
  )
}

import type { Capabilities } from '../../capabilities.ts'
import type { Settlement } from '../../transport.ts'
import type { Handover } from './handover.ts'

export interface SettlementRules {
  readonly capabilities: Capabilities
  readonly countsAttempts: boolean
  readonly nowMs: () => number
  /** Whether a route of the service handles the type. */
  readonly knows: (service: string, type: string) => boolean
  readonly isRequest: (type: string) => boolean
  /** Whether the message was put into the store that the bus was given. */
  readonly isParked: (service: string, id: string) => boolean
}

/** Why a settlement can not be right, seen what the handler did. */
export function judgeSettlement(
  { runs, delivery, options, entry, answered }: Handover & { readonly answered: boolean },
  settlement: Settlement,
  rules: SettlementRules,
): string | undefined {
  // settled before it was delivered, or nobody listens any more
  if (options.ackBefore || delivery.signal.aborted) return undefined
  // the core reads them by itself
  if (options.sources.some(({ kind }) => kind === 'reply')) return undefined
  const { message } = delivery
  const last = runs.at(-1)
  const done = last?.how === 'done' && !last.late
  if (rules.isRequest(message.type)) {
    // one that can't be served in time is answered without its handler
    if (settlement.outcome === 'ack' && !answered && !expired()) return 'nobody has answered it'
    return undefined
  }
  if (done && last.given !== undefined && last.given.outcome === settlement.outcome) return undefined
  switch (settlement.outcome) {
    case 'ack':
      if (done && last.given === undefined) return undefined
      if (rules.capabilities.deadLetter !== true && rules.isParked(entry.service, message.id)) return undefined
      if (runs.length === 0) return expired() ? undefined : 'nobody has handled it'
      return last?.late === true ? 'its handler was too late' : 'its handler has failed'
    case 'release':
      return done ? 'its handler was done' : undefined
    case 'requeue':
      if (done) return 'its handler was done'
      if (rules.capabilities.requeue === undefined) return 'the broker does not requeue'
      if (options.mode === 'ordered' && message.orderingKey !== undefined) return 'its key loses its order'
      if (!(settlement.delayMs >= 0 && settlement.delayMs <= (rules.capabilities.maxDelayMs ?? Infinity))) {
        return `a delay of ${settlement.delayMs} ms`
      }
      return wrongNotes()
    case 'deadLetter':
      if (done) return 'its handler was done'
      if (rules.capabilities.deadLetter !== true) return 'the broker keeps no dead letters'
      return wrongNotes()
  }

  function expired(): boolean {
    return message.expiresAtMs !== undefined && message.expiresAtMs <= rules.nowMs()
  }

  function wrongNotes(): string | undefined {
    if (settlement.outcome !== 'requeue' && settlement.outcome !== 'deadLetter') return undefined
    const { notes } = settlement
    if (!notes['waybill-reason']) return 'its notes give no reason'
    if (runs.length === 0) return rules.knows(entry.service, message.type) ? 'nobody has tried it' : undefined
    const noted = Number(entry.notes?.['waybill-failures'] ?? 0)
    const before = Math.max(noted, rules.countsAttempts ? delivery.attempt - 1 : 0)
    const failed = runs.filter(({ how, late }) => how !== 'done' || late).length
    // more than that where the core remembers what failed before it was given back
    if (Number(notes['waybill-failures']) >= before + failed) return undefined
    return `its notes count ${String(notes['waybill-failures'])} failures, they are ${before} and ${failed} at least`
  }
}

import type { Context } from '../../handler.ts'
import type { Settlement } from '../../transport.ts'
import type { WireMessage } from '../../wire-message.ts'
import type { HandedOver } from '../broker/observer.ts'
import type { Handover, Run } from './handover.ts'
import { judgeSettlement, type SettlementRules } from './settlement-rules.ts'
import type { Verdicts } from './verdicts.ts'

/** How long the core lets a handler go on after its time is up. */
const GRACE_MS = 5_000

export interface DeliveryJudgeOptions extends SettlementRules {
  readonly nowMs: () => number
  /** Counts the turns. */
  readonly step: () => number
  readonly handlerTimeoutMs: number
}

/** Watches each delivery from hand-over to settlement: when handlers may run, and what may become of the message. */
export class DeliveryJudge {
  readonly #verdicts: Verdicts
  readonly #options: DeliveryJudgeOptions
  readonly #handovers: Handover[] = []
  /** By client and service. */
  readonly #live = new Map<string, Set<Run>>()
  /** Requests that a client has answered, whatever became of the answer. */
  readonly #answered = new Set<string>()
  /** By client, all that have not ended. */
  readonly #running = new Map<string, number>()

  constructor(verdicts: Verdicts, options: DeliveryJudgeOptions) {
    this.#verdicts = verdicts
    this.#options = options
  }

  handedOver(handed: HandedOver): void {
    const { attributes } = handed.delivery.message
    // the only thing of a delivery that a handler gets to see
    ;(attributes as Record<string, string>)['handover'] = String(this.#handovers.length)
    const handover: Handover = { ...handed, runs: [], settled: false, recalledAtStep: Infinity }
    const { recalled } = handed.delivery
    const onRecall = () => void (handover.recalledAtStep = this.#options.step())
    if (recalled.aborted) onRecall()
    else recalled.addEventListener('abort', onRecall, { once: true })
    this.#handovers.push(handover)
  }

  published(client: string, { destination, attributes }: WireMessage): void {
    if (destination.kind === 'reply') this.#answered.add(`${client}/${attributes['causationid']}`)
  }

  /** A handler is called; the returned function says how it ended. */
  start(client: string, context: Context, concurrency: number): (how: Run['how'], given?: Settlement | void) => void {
    const { service, message, attempt } = context
    const what = `${message.id} at ${service} of ${client}`
    const handover = this.#handovers[Number(message.attributes['handover'])]
    if (handover === undefined || handover.client !== client) {
      this.#verdicts.add(`handled what was not delivered: ${what}`)
      return () => {}
    }
    const { delivery, options, runs } = handover
    const run: Run = {
      handover,
      startedMs: this.#options.nowMs(),
      attempt,
      how: undefined,
      late: false,
      given: undefined,
    }
    const live = this.#liveOf(client, service)
    if (handover.settled) this.#verdicts.add(`started after its settlement: ${what}`)
    if (delivery.signal.aborted) this.#verdicts.add(`started after its signal: ${what}`)
    // what is on its way to its handler when it is recalled may go on; what comes a turn later may not
    if (handover.recalledAtStep < this.#options.step()) this.#verdicts.add(`started after its recall: ${what}`)
    const { expiresAtMs } = delivery.message
    if (expiresAtMs !== undefined && expiresAtMs <= run.startedMs && runs.length === 0) {
      this.#verdicts.add(`started past its time: ${what}`)
    }
    const before = runs.at(-1)
    if (before !== undefined && attempt !== before.attempt + 1) {
      this.#verdicts.add(`attempt ${attempt} after attempt ${before.attempt}: ${what}`)
    }
    if (attempt < delivery.attempt && this.#options.countsAttempts) {
      this.#verdicts.add(`attempt ${attempt} of a message that the broker delivered ${delivery.attempt} times: ${what}`)
    }
    for (const other of live) {
      const same = other.handover === handover
      const key = delivery.message.orderingKey
      const sameKey = key !== undefined && key === other.handover.delivery.message.orderingKey
      if (same || sameKey)
        this.#verdicts.add(
          `two handlers of one ${same ? 'delivery' : 'key'} at once: ${what}, since ${this.#options.nowMs() - other.startedMs} ms`,
        )
    }
    if (live.size >= concurrency) {
      this.#verdicts.add(`${live.size + 1} handlers at once where ${concurrency} may run: ${what}`)
    }
    if (options.mode !== 'broadcast' && options.service !== service) {
      this.#verdicts.add(`delivered to ${options.service}, handled as ${service}: ${what}`)
    }
    runs.push(run)
    live.add(run)
    this.#running.set(client, this.running(client) + 1)
    return (how, given) => {
      run.how = how
      run.late = context.signal.aborted
      run.given = given ?? undefined
      live.delete(run)
      this.#running.set(client, this.running(client) - 1)
    }
  }

  settled(handed: HandedOver, settlement: Settlement): void {
    const handover = this.#handovers[Number(handed.delivery.message.attributes['handover'])]!
    if (handover.settled) this.#verdicts.add(`settled twice: ${handed.entry.message.id} at ${handed.entry.service}`)
    handover.settled = true
    const answered = this.#answered.has(`${handed.client}/${handed.delivery.message.id}`)
    const wrong = judgeSettlement({ ...handover, answered }, settlement, this.#options)
    if (wrong !== undefined) {
      const { entry, client } = handed
      this.#verdicts.add(`${settlement.outcome} of ${entry.message.id} at ${entry.service} of ${client}: ${wrong}`)
    }
  }

  /** Handlers of this client that have not ended, whatever became of their deliveries. */
  running(client: string): number {
    return this.#running.get(client) ?? 0
  }

  /** Handlers of this client that still run are out of anybody's hands. */
  forget(client: string, service: string): void {
    for (const name of [service, `${service}.once`]) this.#live.delete(`${client}/${name}`)
  }

  /** Deliveries that are still owed a settlement although no handler has them: lost ones too, or their key stays closed. */
  unsettled(wanted: (client: string) => boolean): readonly Handover[] {
    return this.#handovers.filter(
      ({ settled, client, runs }) => !settled && wanted(client) && runs.every(({ how }) => how !== undefined),
    )
  }

  #liveOf(client: string, service: string): Set<Run> {
    const name = `${client}/${service}`
    let live = this.#live.get(name)
    if (live === undefined) this.#live.set(name, (live = new Set()))
    const nowMs = this.#options.nowMs()
    // one that ignores its abort has had its time: its try counts as over
    for (const run of live) if (run.startedMs + this.#options.handlerTimeoutMs + GRACE_MS <= nowMs) live.delete(run)
    return live
  }
}

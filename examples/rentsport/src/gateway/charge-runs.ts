import { OverloadError, sleep, systemPorts, type Logger } from '@waybill/core'
import type { GatewayAnswer } from './contract.ts'
import type { Decision, Ledger } from './ledger.ts'
import { behaviourOf, REFUSALS } from './test-cards.ts'

/** A command as it is after its schema filled in what was absent. */
export interface ChargeOrder {
  readonly payment_id: string
  readonly amount_minor: number
  readonly currency: string
  readonly payment_method: string
}

type Step = Pick<GatewayAnswer, 'answer' | 'message'>

/** Somebody who asked for a charge, as long as its stream lives. */
export interface Asker {
  readonly signal: AbortSignal
  tell(step: Step): void
}

/** How long the bank takes for each step, after the one before it. */
export interface Delays {
  readonly processingMs: number
  readonly validatingMs: number
  readonly decisionMs: number
}

export const REALISTIC_DELAYS: Delays = { processingMs: 300, validatingMs: 400, decisionMs: 500 }

const PENDING: Step = { answer: 'PENDING', message: 'accepted by the payment gateway' }
const PROCESSING: Step = { answer: 'PROCESSING', message: 'the bank is processing the payment' }
const VALIDATING: Step = { answer: 'VALIDATING', message: 'the bank is validating the payment' }

const MAX_RUNS = 10_000
const LEDGER_TRIES = 20
const LEDGER_RETRY_MS = 500
/** Each delay is somewhere between 80 and 120 percent of the given one. */
const jittered = (delayMs: number) => delayMs * (0.8 + 0.4 * Math.random())

interface Run {
  readonly said: Step[]
  readonly askers: Set<Asker>
}

/** Charges under way. A repeated order hears what was said so far and then goes along; one decided hears it all. */
export class ChargeRuns {
  readonly #ledger: Ledger
  readonly #delays: Delays
  readonly #logger: Logger
  readonly #runs = new Map<string, Run>()
  readonly #stopped = new AbortController()

  constructor(ledger: Ledger, delays: Delays, logger: Logger) {
    this.#ledger = ledger
    this.#delays = delays
    this.#logger = logger
  }

  /** @throws {OverloadError} too many charges are under way */
  follow(order: ChargeOrder, asker: Asker): void {
    let run = this.#runs.get(order.payment_id)
    if (run === undefined) {
      if (this.#runs.size >= MAX_RUNS) throw new OverloadError(`${MAX_RUNS} charges are under way: try again`)
      run = { said: [], askers: new Set([asker]) }
      this.#runs.set(order.payment_id, run)
      void this.#drive(order, run)
    } else {
      for (const step of run.said) asker.tell(step)
      run.askers.add(asker)
    }
  }

  stop(): void {
    this.#stopped.abort()
  }

  /** Never rejects: books that can't be reached for long leave it undecided, and a repeated order begins it again. */
  async #drive(order: ChargeOrder, run: Run): Promise<void> {
    const { payment_id, amount_minor, currency } = order
    const behaviour = behaviourOf(order.payment_method)
    const say = (step: Step) => {
      const times = behaviour === 'answered twice' ? 2 : 1
      for (let time = 0; time < times; time++) {
        run.said.push(step)
        for (const asker of run.askers) if (!asker.signal.aborted) asker.tell(step)
      }
    }
    try {
      const before = await this.#persist(() => this.#ledger.decision(payment_id))
      const pause = (delayMs: number) =>
        before === undefined ? sleep(systemPorts.timers, jittered(delayMs), this.#stopped.signal) : undefined
      say(PENDING)
      if (behaviour === 'silent' && before === undefined) return
      await pause(this.#delays.processingMs)
      say(PROCESSING)
      await pause(this.#delays.validatingMs)
      say(VALIDATING)
      await pause(this.#delays.decisionMs)
      const refusal = REFUSALS[behaviour]
      const wanted: Decision =
        refusal === undefined
          ? { outcome: 'COMPLETED', message: 'the payment is completed' }
          : { outcome: 'DECLINED', message: refusal }
      const { outcome, message } =
        before ?? (await this.#persist(() => this.#ledger.decide(payment_id, wanted, amount_minor, currency)))
      say({ answer: outcome === 'COMPLETED' ? 'COMPLETED' : 'DECLINED', message })
    } catch (error) {
      if (!this.#stopped.signal.aborted) this.#logger.error({ error, payment_id }, 'a charge was left undecided')
    } finally {
      this.#runs.delete(payment_id)
    }
  }

  /** Database trouble of some seconds is waited out; every write to the books may be repeated. */
  async #persist<R>(work: () => Promise<R>): Promise<R> {
    for (let attempt = 1; ; attempt++) {
      try {
        return await work()
      } catch (error) {
        if (attempt >= LEDGER_TRIES) throw error
        await sleep(systemPorts.timers, LEDGER_RETRY_MS, this.#stopped.signal)
      }
    }
  }
}

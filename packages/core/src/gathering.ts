import type { RequestDefinition } from './definition.ts'
import { ConfigError } from './errors.ts'
import { readReply, serviceOf } from './reply.ts'
import type { WireMessage } from './wire-message.ts'

/** How many answers are awaited, or whose. */
export type Expected = number | readonly string[] | undefined

/** The names that are missing where names were expected, else how many are. */
export type Missing<E extends Expected> = E extends readonly string[] ? readonly string[] : number

/** An answer that is a reply. */
export interface GatheredReply<Reply> {
  readonly service: string
  readonly data: Reply
  readonly error?: undefined
}

/** An answer that is an error: what the responder told of it, or why its reply could not be read. */
export interface GatheredFailure {
  readonly service: string
  readonly error: Error
  readonly data?: undefined
}

export type Answer<Reply> = GatheredReply<Reply> | GatheredFailure

/** What came of a gathering. */
export interface Gathered<Reply, Missed = number> {
  /** In the order they came. */
  readonly replies: readonly GatheredReply<Reply>[]
  readonly failures: readonly GatheredFailure[]
  /** Of what was expected, the services that gave no answer, or their number; 0 where nothing was expected. */
  readonly missing: Missed
  /** Answers that came too late or twice; it goes on counting while stragglers come. */
  readonly late: number
}

/**
 * Answers on their way. `await` gives all of them at the end; `for await` gives each as it comes, and breaking out of the
 * loop ends the gathering.
 */
export interface Gathering<Reply, Missed = number>
  extends PromiseLike<Gathered<Reply, Missed>>, AsyncIterable<Answer<Reply>> {}

/** When a gathering has enough. */
export interface GatherBounds {
  readonly expect: Expected
  readonly until: ((replies: readonly GatheredReply<unknown>[]) => boolean) | undefined
  readonly maxAnswers: number
}

/** @throws {ConfigError} for a count or names that no answers can meet */
export function checkExpected(expect: Expected, maxAnswers: number): void {
  if (expect === undefined) return
  if (typeof expect === 'number') {
    if (Number.isSafeInteger(expect) && expect >= 1 && expect <= maxAnswers) return
    throw new ConfigError(
      `expect of a gathering is ${expect}: give a whole number from 1 to maxAnswers (${maxAnswers})`,
    )
  }
  const names = new Set(expect)
  if (names.size === 0 || names.size !== expect.length || names.size > maxAnswers || names.has('')) {
    throw new ConfigError(
      `expect of a gathering has ${expect.length} names: give 1 to maxAnswers (${maxAnswers}), each one once`,
    )
  }
}

interface Observer {
  onEnd(): void
  onLate(): void
}

/** The answers to one question; each service is counted once. */
export class Answers implements Gathering<unknown, unknown> {
  readonly #definition: RequestDefinition
  readonly #bounds: GatherBounds
  readonly #observer: Observer
  readonly #answers: Answer<unknown>[] = []
  readonly #replies: GatheredReply<unknown>[] = []
  readonly #failures: GatheredFailure[] = []
  /** Services whose answer has come, also while it is being read. */
  readonly #answered = new Set<string>()
  readonly #missing: Set<string>
  readonly #result: Promise<Gathered<unknown, unknown>>
  #settle!: { resolve(result: Gathered<unknown, unknown>): void; reject(reason: unknown): void }
  #open = true
  #failure: { readonly reason: unknown } | undefined
  #late = 0
  /** Iterations that wait for something new. */
  #waiting: (() => void)[] = []

  constructor(definition: RequestDefinition, bounds: GatherBounds, observer: Observer) {
    this.#definition = definition
    this.#bounds = bounds
    this.#observer = observer
    this.#missing = new Set(typeof bounds.expect === 'object' ? bounds.expect : [])
    this.#result = new Promise((resolve, reject) => (this.#settle = { resolve, reject }))
    // whoever iterates learns of it there
    this.#result.catch(() => {})
  }

  /** Answers that came in time, also those that are being read. */
  get count(): number {
    return this.#answered.size
  }

  async take(reply: WireMessage): Promise<void> {
    const service = serviceOf(reply)
    if (!this.#open || this.#answered.has(service) || this.#answered.size >= this.#bounds.maxAnswers) {
      return this.countLate()
    }
    this.#answered.add(service)
    const answer = await this.#read(service, reply)
    if (!this.#open) return this.countLate()
    this.#answers.push(answer)
    this.#missing.delete(service)
    if (answer.error === undefined) this.#replies.push(answer)
    else this.#failures.push(answer)
    try {
      if (this.#hasEnough(answer)) return this.end()
    } catch (error) {
      return this.fail(error)
    }
    this.#wake()
  }

  countLate(): void {
    this.#late++
    this.#observer.onLate()
  }

  /** Gives what there is. */
  end(): void {
    if (!this.#close()) return
    this.#settle.resolve(this.#gathered())
  }

  fail(reason: unknown): void {
    // a request that was answered did get out, whatever its carrier says of it
    if (!this.#close({ reason })) return
    this.#settle.reject(reason)
  }

  then<Value, Caught>(
    onGathered?: ((result: Gathered<unknown, unknown>) => Value | PromiseLike<Value>) | null,
    onRejected?: ((reason: unknown) => Caught | PromiseLike<Caught>) | null,
  ): Promise<Value | Caught> {
    return this.#result.then(onGathered, onRejected) as Promise<Value | Caught>
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Answer<unknown>, void, void> {
    try {
      for (let index = 0; ;) {
        if (index < this.#answers.length) yield this.#answers[index++]!
        else if (this.#open) await new Promise<void>((resolve) => this.#waiting.push(resolve))
        else break
      }
      if (this.#failure !== undefined) throw this.#failure.reason
    } finally {
      this.end()
    }
  }

  async #read(service: string, reply: WireMessage): Promise<Answer<unknown>> {
    try {
      return { service, data: await readReply(this.#definition, reply) }
    } catch (error) {
      return { service, error: error as Error }
    }
  }

  #hasEnough({ error }: Answer<unknown>): boolean {
    const { expect, until, maxAnswers } = this.#bounds
    if (error === undefined && until?.(this.#replies) === true) return true
    if (this.#answers.length >= maxAnswers) return true
    return typeof expect === 'object' ? this.#missing.size === 0 : this.#answers.length >= (expect ?? Infinity)
  }

  #gathered(): Gathered<unknown, unknown> {
    const { expect = 0 } = this.#bounds
    const lateSoFar = () => this.#late
    return Object.freeze({
      replies: this.#replies,
      failures: this.#failures,
      missing: typeof expect === 'object' ? [...this.#missing] : Math.max(0, expect - this.#answers.length),
      get late() {
        return lateSoFar()
      },
    })
  }

  /** False when it was closed before. */
  #close(failure?: { readonly reason: unknown }): boolean {
    if (!this.#open) return false
    this.#open = false
    this.#failure = failure
    this.#observer.onEnd()
    this.#wake()
    return true
  }

  #wake(): void {
    for (const resume of this.#waiting.splice(0)) resume()
  }
}

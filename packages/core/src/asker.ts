import type { BusContext } from './bus-context.ts'
import type { BusSettings } from './bus-options.ts'
import type { GatherOptions, RequestCallOptions } from './bus.ts'
import type { DataIn, RequestDefinition } from './definition.ts'
import { ConfigError } from './errors.ts'
import { gatherDestination } from './gather-destination.ts'
import {
  checkExpected,
  type Answers,
  type Expected,
  type GatherBounds,
  type Gathering,
  type Missing,
} from './gathering.ts'
import { encode } from './message.ts'
import type { Carrier } from './outgoing.ts'
import { Requests, type Asking } from './requests.ts'
import type { InferOutput, Schema } from './schema.ts'
import { refuseInTransaction } from './transaction-scope.ts'
import type { Destination, WireMessage } from './wire-message.ts'

const ASK_BEFORE = 'ask before it begins, since it would stay open for as long as the answer takes'

/** The questions of one bus: to one who answers, or to all. */
export class Asker {
  readonly #context: BusContext
  readonly #maxAnswers: number
  readonly #requests: Requests
  readonly #topics = new WeakMap<RequestDefinition, Destination>()

  constructor(context: BusContext, { maxAnswers, maxPendingRequests }: BusSettings['limits']) {
    const { ports, observer, counters } = context
    this.#context = context
    this.#maxAnswers = maxAnswers
    const onLateReply = () => observer.lateReply(++counters.lateReplies)
    this.#requests = new Requests(ports, maxPendingRequests, observer, onLateReply)
  }

  get refusing(): Requests['refusing'] {
    return this.#requests.refusing
  }

  async request<S extends Schema, R extends Schema>(
    request: RequestDefinition<S, R>,
    data: DataIn<RequestDefinition<S, R>>,
    options: RequestCallOptions,
  ): Promise<InferOutput<R>> {
    refuseInTransaction('bus.request', ASK_BEFORE)
    checkTimeout(options)
    const { observer, outgoing } = this.#context
    if (!observer.watchesRequests) return await this.#ask(request, data, options)
    const { transport } = outgoing.carrierOf(request.destination)
    return await observer.request(request, transport.name, () => this.#ask(request, data, options))
  }

  gather<S extends Schema, R extends Schema, const E extends Expected = undefined>(
    request: RequestDefinition<S, R>,
    data: DataIn<RequestDefinition<S, R>>,
    options: GatherOptions<InferOutput<R>, E>,
  ): Gathering<InferOutput<R>, Missing<E>> {
    refuseInTransaction('bus.gather', ASK_BEFORE)
    checkTimeout(options)
    const maxAnswers = this.#maxAnswers
    checkExpected(options.expect, maxAnswers)
    const { observer, outgoing } = this.#context
    const carrier = outgoing.carrierOf(request.destination)
    const { expect, until } = options
    const start = () =>
      this.#requests.gather(this.#askingMany(request, data, options, carrier), {
        expect,
        until,
        maxAnswers,
      } as GatherBounds)
    let gathering: Answers | undefined
    if (observer.watchesRequests) {
      const told = observer.request(request, carrier.transport.name, async () => await (gathering = start()))
      // whoever asked learns of it from the gathering
      told.catch(() => {})
    }
    return (gathering ?? start()) as Gathering<InferOutput<R>, Missing<E>>
  }

  close(): Promise<void> {
    return this.#requests.close()
  }

  async #ask<S extends Schema, R extends Schema>(
    request: RequestDefinition<S, R>,
    data: DataIn<RequestDefinition<S, R>>,
    options: RequestCallOptions,
  ): Promise<InferOutput<R>> {
    const { timeoutMs, signal } = options
    const { outgoing } = this.#context
    const message = await this.#question(request, data, options)
    return (await this.#requests.call({
      definition: request,
      carrier: outgoing.carrierOf(message.destination),
      timeoutMs,
      signal,
      send: (correlationId, replyTo) => outgoing.publish({ ...message, correlationId, replyTo }, { timeoutMs, signal }),
    })) as InferOutput<R>
  }

  #askingMany<S extends Schema>(
    request: RequestDefinition<S>,
    data: DataIn<RequestDefinition<S>>,
    options: RequestCallOptions,
    carrier: Carrier,
  ): Asking {
    const { timeoutMs, signal } = options
    const destination = this.#topicOf(request)
    const question = this.#question(request, data, options)
    // read when the reply address is open, which may be later than Node waits
    question.catch(() => {})
    const send = async (correlationId: string, replyTo: string) =>
      this.#context.outgoing.publish(
        { ...(await question), destination, correlationId, replyTo },
        { timeoutMs, signal },
      )
    return { definition: request, carrier, timeoutMs, signal, send }
  }

  async #question<S extends Schema>(
    request: RequestDefinition<S>,
    data: DataIn<RequestDefinition<S>>,
    { timeoutMs, headers }: RequestCallOptions,
  ): Promise<WireMessage> {
    const ttlMs = Math.min(timeoutMs, request.ttlMs ?? Infinity)
    return await encode(request, data, { headers, ttlMs }, this.#context)
  }

  /** One object for each definition: what is declared is known by it. */
  #topicOf(request: RequestDefinition): Destination {
    let topic = this.#topics.get(request)
    if (topic === undefined) this.#topics.set(request, (topic = gatherDestination(request.destination)))
    return topic
  }
}

function checkTimeout({ timeoutMs }: RequestCallOptions): void {
  if (timeoutMs > 0 && timeoutMs <= 2 ** 31 - 1) return
  throw new ConfigError(`timeoutMs of a request is ${timeoutMs}: give milliseconds above 0 and below 24 days`)
}

import { PublishError } from '../../errors.ts'
import { copyOf } from '../../memory/copy.ts'
import type { CallOptions, WireMessage } from '../../wire-message.ts'
import type { DurableBroker } from './durable-broker.ts'
import { Wire } from './wire.ts'

const DEFAULT_TIMEOUT_MS = 5_000

/** One message on its way to the broker, until its publisher has an answer. */
interface Flight {
  readonly message: WireMessage
  /** Of one destination and key, where the carrier keeps their order (R4). */
  readonly lane: Lane | undefined
  arrived: boolean
  /** It failed with an earlier one of its lane, and is not stored when it arrives. */
  doomed: boolean
  answer(error?: unknown): void
}

interface Lane {
  /** Without a confirm, in the order they were handed over. */
  readonly flights: Set<Flight>
  /** It has failed at the broker, and the client does not know yet: nothing of the lane gets in. */
  brokenBy: Flight | undefined
  /** Confirms come in order, or an earlier one could time out after a later one was confirmed. */
  readonly confirms: Wire
}

interface FlyingClient {
  readonly name: string
  readonly alive: boolean
  readonly connected: boolean
}

/** What a client has published and not heard of. */
export class Flights {
  readonly #broker: DurableBroker
  readonly #client: FlyingClient
  readonly #unanswered = new Set<Flight>()
  readonly #lanes = new Map<string, Lane>()
  /** Messages leave in the order they were handed over (R1). */
  readonly #out: Wire

  constructor(broker: DurableBroker, client: FlyingClient) {
    this.#broker = broker
    this.#client = client
    this.#out = new Wire(broker.context.ports.timers, () => broker.context.faults.hopMs())
  }

  take(message: WireMessage, { signal, timeoutMs = DEFAULT_TIMEOUT_MS }: CallOptions): Promise<void> {
    if (signal?.aborted === true) return Promise.reject(signal.reason as Error)
    this.#broker.context.observer.published(this.#client.name, message)
    return new Promise((resolve, reject) => {
      const onAbort = () => this.#fail(flight, signal!.reason)
      const flight: Flight = {
        message: copyOf(message),
        lane: this.#laneOf(message),
        arrived: false,
        doomed: false,
        answer: (error) => {
          if (!this.#unanswered.delete(flight)) return
          cancel()
          signal?.removeEventListener('abort', onAbort)
          if (error === undefined) resolve()
          else reject(error as Error)
        },
      }
      if (this.#overlaps(message)) this.#broker.context.observer.overlapped(message)
      this.#unanswered.add(flight)
      flight.lane?.flights.add(flight)
      const cancel = this.#broker.context.ports.timers.schedule(() => {
        const text = `publish not confirmed within ${timeoutMs} ms`
        this.#fail(flight, new PublishError(text, { scope: 'transport', mayExist: true }))
      }, timeoutMs)
      signal?.addEventListener('abort', onAbort, { once: true })
      if (!this.#client.connected) return this.#hop(() => this.#fail(flight, away()))
      this.#out.send(() => this.#arrive(flight))
      if (message.confirm === false) this.#hop(() => flight.answer())
    })
  }

  failAll(cause: Error): void {
    const lost = new PublishError(cause.message, { scope: 'transport', mayExist: true, cause })
    for (const flight of [...this.#unanswered]) flight.answer(lost)
    // half of the time what was on its way gets through all the same
    if (this.#broker.context.faults.chance.yes(0.5)) this.#out.cut()
    this.#lanes.clear()
  }

  #arrive(flight: Flight): void {
    flight.arrived = true
    const { lane, message } = flight
    const { faults } = this.#broker.context
    if (flight.doomed) return void lane?.flights.delete(flight)
    if (lane?.brokenBy !== undefined) return
    const plan = faults.publishPlan()
    const refusal = plan === 'stored' || plan === 'unconfirmed' ? this.#broker.route(message) : undefined
    if (plan === 'silent') {
      if (lane !== undefined) this.#break(lane, flight)
      if (faults.chance.yes(0.5)) this.#broker.route(message)
      return
    }
    if (refusal !== undefined) return this.#refuse(flight, refusal)
    if (plan === 'stored') {
      const confirm = () => this.#confirm(flight)
      return lane === undefined ? this.#hop(confirm) : lane.confirms.send(confirm)
    }
    if (plan === 'refused') {
      const scope = faults.chance.pick(['message', 'destination', 'transport'] as const)
      const retryable = scope !== 'message' || faults.chance.yes(0.7)
      return this.#refuse(flight, new PublishError('refused', { scope, retryable }))
    }
    const foreign = faults.chance.yes(0.3)
    this.#refuse(flight, foreign ? new TypeError('a foreign error') : new PublishError('unsure', { mayExist: true }))
  }

  #confirm(flight: Flight): void {
    if (this.#unanswered.has(flight)) this.#broker.context.observer.confirmed(flight.message)
    flight.answer()
    flight.lane?.flights.delete(flight)
  }

  #refuse(flight: Flight, error: unknown): void {
    if (flight.lane === undefined) return this.#hop(() => this.#fail(flight, error))
    this.#break(flight.lane, flight)
    flight.lane.confirms.send(() => this.#fail(flight, error))
  }

  /** At the broker: what comes behind the flight does not get in, up to the moment at which the client knows. */
  #break(lane: Lane, flight: Flight): void {
    if (this.#unanswered.has(flight)) lane.brokenBy = flight
    for (const other of lane.flights) if (!other.arrived) other.doomed = true
  }

  /** At the client: the flight has failed, and each later one of its lane with it. */
  #fail(flight: Flight, error: unknown): void {
    const { lane } = flight
    if (lane?.brokenBy === flight) lane.brokenBy = undefined
    if (!this.#unanswered.has(flight)) return void (flight.arrived && lane?.flights.delete(flight))
    let behind = false
    for (const other of lane?.flights ?? []) {
      if (behind && this.#unanswered.has(other)) {
        if (!other.arrived) other.doomed = true
        else lane!.flights.delete(other)
        if (lane!.brokenBy === other) lane!.brokenBy = undefined
        other.answer(new PublishError('an earlier one of its key failed', { mayExist: other.arrived, cause: error }))
      }
      if (other === flight) behind = true
    }
    if (flight.arrived) lane?.flights.delete(flight)
    flight.answer(error)
  }

  #laneOf({ destination: { kind, name }, orderingKey }: WireMessage): Lane | undefined {
    if (orderingKey === undefined || this.#broker.context.profile.capabilities.orderedPublish !== true) return undefined
    const id = JSON.stringify([kind, name, orderingKey])
    let lane = this.#lanes.get(id)
    if (lane === undefined) this.#lanes.set(id, (lane = this.#newLane()))
    return lane
  }

  #overlaps({ destination: { kind, name }, orderingKey }: WireMessage): boolean {
    if (orderingKey === undefined || this.#broker.context.profile.capabilities.orderedPublish === true) return false
    return [...this.#unanswered].some(
      ({ message }) =>
        message.orderingKey === orderingKey && message.destination.kind === kind && message.destination.name === name,
    )
  }

  #newLane(): Lane {
    const { ports, faults } = this.#broker.context
    return { flights: new Set(), brokenBy: undefined, confirms: new Wire(ports.timers, () => faults.hopMs()) }
  }

  #hop(action: () => void): void {
    const { ports, faults } = this.#broker.context
    ports.timers.schedule(action, faults.hopMs())
  }
}

function away(): PublishError {
  return new PublishError('the broker is away', { scope: 'transport' })
}

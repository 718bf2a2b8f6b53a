import type { BusContext } from './bus-context.ts'
import type { Capabilities } from './capabilities.ts'
import type { CircuitSettings } from './circuit.ts'
import type { Route } from './handler.ts'
import type { Middleware } from './middleware/middleware.ts'
import type { TokenBucket } from './rate-limit.ts'
import type { RetryPolicy } from './retry.ts'
import type { Subscription } from './transport.ts'

export interface IntakeOptions {
  readonly service: string
  /** The name of the carrier. */
  readonly transport: string
  /** The name that its replies carry. */
  readonly answersAs: string
  readonly routes: readonly Route[]
  readonly assume: Route | undefined
  readonly concurrency: number
  readonly circuit: CircuitSettings
  /** Shared by all parts of the service. */
  readonly bucket: TokenBucket | undefined
  /** What may wait before requests are shed. */
  readonly maxWaiting: number
  readonly handlerTimeoutMs: number
  readonly maxOpen: number
  readonly ordered: boolean
  /** Beyond it a message that ended its process is given up on. */
  readonly maxCrashes: number
  readonly ackBefore: boolean
  readonly retry: RetryPolicy
  /** The bus's, then the service's own. */
  readonly middleware: readonly Middleware[]
  readonly capabilities: Capabilities
}

/** What the parts of one intake share. */
export class IntakeContext {
  readonly options: IntakeOptions
  readonly bus: BusContext
  /** Unknown until the carrier has answered; deliveries may come before. */
  subscription: Subscription | undefined

  constructor(options: IntakeOptions, bus: BusContext) {
    this.options = options
    this.bus = bus
  }

  /** What the transport promised, and once the subscription stands what it really gives (R23). */
  get capabilities(): Capabilities {
    return this.subscription?.capabilities ?? this.options.capabilities
  }

  /** Whether `attempt` of a delivery counts its failures by itself. */
  get countsAttempts(): boolean {
    const { requeue, attempts } = this.capabilities
    return requeue === 'native' && attempts === 'exact'
  }

  /** How long a message may be held open to be tried again in place. */
  get maxInPlaceMs(): number {
    return (this.capabilities.maxHoldMs ?? Infinity) / 2
  }
}

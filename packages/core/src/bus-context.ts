import type { BusStats } from './bus.ts'
import type { Logger } from './logger.ts'
import type { Observer } from './observer.ts'
import type { Outgoing } from './outgoing.ts'
import type { ParkedStore } from './parked.ts'
import type { Ports } from './ports.ts'
import type { RetryPolicy } from './retry.ts'

/** What the parts of one bus share. */
export interface BusContext {
  readonly source: string
  readonly parked: ParkedStore | undefined
  readonly retry: RetryPolicy
  readonly logger: Logger
  readonly ports: Ports
  readonly timeText: (nowMs: number) => string
  readonly outgoing: Outgoing
  readonly observer: Observer
  readonly counters: { -readonly [Name in keyof BusStats]: number }
}

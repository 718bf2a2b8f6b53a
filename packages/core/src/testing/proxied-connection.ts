import type { Socket } from 'node:net'
import { ConfigError } from '../errors.ts'
import { OneWayLine, UNHARMED, type Chop, type LineFault } from './one-way-line.ts'

export type Direction = 'toTarget' | 'toClient'

/** The faults that a proxy can make, on one connection or on all. Those that last end with `heal`. */
export interface Faults {
  /** Bytes arrive so much later, in both directions. */
  latency(delayMs: number): void
  /** Bytes arrive in small pieces. @default 1 byte each 10 ms */
  chop(chop?: Partial<Chop>): void
  /** Nothing passes in either direction, and nobody is told: no bytes, no FIN, no RST. */
  blackhole(): void
  /** Nothing passes in one direction; the other works. */
  halfOpen(silent: Direction): void
  /** Ends connections as a peer that closes would (FIN). */
  cut(): void
  /** Breaks connections as a peer that crashed would (RST). */
  reset(): void
  /** Ends latency, chop, blackhole and half-open; what waited passes. */
  heal(): void
}

/** Latency, chop and silence of both directions. */
export interface ConnectionFault {
  readonly toTarget: LineFault
  readonly toClient: LineFault
}

export const CONNECTION_UNHARMED: ConnectionFault = Object.freeze({ toTarget: UNHARMED, toClient: UNHARMED })

/** @throws {ConfigError} for a latency that is not a number of milliseconds */
export function withLatency(fault: ConnectionFault, latencyMs: number): ConnectionFault {
  if (!(latencyMs >= 0 && latencyMs <= 3_600_000)) {
    throw new ConfigError(`latency of the fault proxy is ${latencyMs}: give milliseconds from 0 to an hour`)
  }
  return both(fault, { latencyMs })
}

/** @throws {ConfigError} for pieces without a byte, or a wait that is not a number of milliseconds */
export function withChop(fault: ConnectionFault, { bytes = 1, everyMs = 10 }: Partial<Chop> = {}): ConnectionFault {
  if (!(Number.isSafeInteger(bytes) && bytes > 0 && everyMs >= 0 && everyMs <= 3_600_000)) {
    throw new ConfigError(`chop of the fault proxy is ${bytes} bytes each ${everyMs} ms: give at least 1 byte, and ms`)
  }
  return both(fault, { chop: { bytes, everyMs } })
}

export function withSilence(fault: ConnectionFault, ...directions: readonly Direction[]): ConnectionFault {
  const silent = { ...fault }
  for (const direction of directions) silent[direction] = { ...fault[direction], silent: true }
  return silent
}

/** A client's connection and the one that the proxy opened to the target for it. */
export class ProxiedConnection implements Faults {
  readonly #client: Socket
  readonly #target: Socket
  readonly #toTarget: OneWayLine
  readonly #toClient: OneWayLine
  #fault: ConnectionFault

  constructor(client: Socket, target: Socket, maxBytes: number, fault: ConnectionFault) {
    this.#client = client
    this.#target = target
    this.#fault = fault
    this.#toTarget = new OneWayLine(client, target, maxBytes, fault.toTarget)
    this.#toClient = new OneWayLine(target, client, maxBytes, fault.toClient)
    client.setNoDelay(true)
    target.setNoDelay(true)
  }

  /** Bytes that wait in the proxy itself. */
  get queuedBytes(): number {
    return this.#toTarget.queuedBytes + this.#toClient.queuedBytes
  }

  set fault(fault: ConnectionFault) {
    this.#fault = fault
    this.#toTarget.fault = fault.toTarget
    this.#toClient.fault = fault.toClient
  }

  latency(delayMs: number): void {
    this.fault = withLatency(this.#fault, delayMs)
  }

  chop(chop?: Partial<Chop>): void {
    this.fault = withChop(this.#fault, chop)
  }

  blackhole(): void {
    this.fault = withSilence(this.#fault, 'toTarget', 'toClient')
  }

  halfOpen(silent: Direction): void {
    this.fault = withSilence(this.#fault, silent)
  }

  heal(): void {
    this.fault = CONNECTION_UNHARMED
  }

  cut(): void {
    this.#forget()
    this.#client.end()
    this.#target.end()
  }

  reset(): void {
    this.#forget()
    this.#client.resetAndDestroy()
    this.#target.resetAndDestroy()
  }

  #forget(): void {
    this.#toTarget.close()
    this.#toClient.close()
  }
}

function both(fault: ConnectionFault, change: Partial<LineFault>): ConnectionFault {
  return { toTarget: { ...fault.toTarget, ...change }, toClient: { ...fault.toClient, ...change } }
}

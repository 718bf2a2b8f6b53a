import type { Socket } from 'node:net'
import { systemPorts } from '../ports.ts'

/** Bytes go out in pieces of this size, one each so many milliseconds. */
export interface Chop {
  readonly bytes: number
  readonly everyMs: number
}

/** What a line does to all that passes it. */
export interface LineFault {
  /** Nothing passes, neither bytes nor the end of the connection. */
  readonly silent: boolean
  readonly latencyMs: number
  readonly chop: Chop | undefined
}

export const UNHARMED: LineFault = Object.freeze({ silent: false, latencyMs: 0, chop: undefined })

interface Item {
  readonly bytes: Buffer
  readonly dueMs: number
  /** What becomes of the connection after these bytes. */
  readonly last?: 'end' | 'reset' | undefined
}

const NOTHING = Buffer.alloc(0)

/**
 * One direction of a proxied connection. Holds at most `maxBytes` beside what one read gave; then it stops reading, so
 * that the sender feels the pressure as it would without a proxy.
 */
export class OneWayLine {
  readonly #from: Socket
  readonly #to: Socket
  readonly #maxBytes: number
  readonly #queue: Item[] = []
  #queuedBytes = 0
  #fault: LineFault
  #cancel: (() => void) | undefined
  #blocked = false
  #closed = false

  constructor(from: Socket, to: Socket, maxBytes: number, fault: LineFault) {
    this.#from = from
    this.#to = to
    this.#maxBytes = maxBytes
    this.#fault = fault
    from.on('data', (bytes: Buffer) => this.#take(bytes))
    from.on('end', () => this.#take(NOTHING, 'end'))
    from.on('close', (failed) => failed && this.#take(NOTHING, 'reset'))
    from.on('error', () => {})
    to.on('drain', () => {
      this.#blocked = false
      this.#pump()
    })
  }

  get queuedBytes(): number {
    return this.#queuedBytes
  }

  set fault(fault: LineFault) {
    this.#fault = fault
    this.#pump()
  }

  /** From now on nothing passes, and what waited is forgotten. */
  close(): void {
    this.#closed = true
    this.#cancel?.()
    this.#queue.length = 0
    this.#queuedBytes = 0
    this.#from.resume()
  }

  #take(bytes: Buffer, last?: Item['last']): void {
    if (this.#closed) return
    if (last === 'reset') {
      // a reset overtakes what was under way
      this.#queue.length = 0
      this.#queuedBytes = 0
    }
    this.#queue.push({ bytes, dueMs: performance.now() + this.#fault.latencyMs, last })
    this.#queuedBytes += bytes.length
    if (this.#queuedBytes >= this.#maxBytes) this.#from.pause()
    this.#pump()
  }

  #pump(): void {
    this.#cancel?.()
    this.#cancel = undefined
    while (!this.#closed && !this.#fault.silent && !this.#blocked) {
      const head = this.#queue[0]
      if (head === undefined) return
      const leftMs = head.dueMs - performance.now()
      if (leftMs > 0) return this.#again(leftMs)
      this.#pass(head)
      if (this.#fault.chop !== undefined && head.last === undefined) return this.#again(this.#fault.chop.everyMs)
    }
  }

  #again(delayMs: number): void {
    this.#cancel = systemPorts.timers.schedule(() => {
      this.#cancel = undefined
      this.#pump()
    }, delayMs)
  }

  #pass(head: Item): void {
    const bytes = head.bytes.subarray(0, this.#fault.chop?.bytes)
    const rest = head.bytes.subarray(bytes.length)
    if (rest.length > 0) this.#queue[0] = { ...head, bytes: rest }
    else this.#queue.shift()
    this.#queuedBytes -= bytes.length
    if (this.#queuedBytes < this.#maxBytes) this.#from.resume()
    if (head.last === 'reset') this.#to.resetAndDestroy()
    else if (head.last === 'end') this.#to.end()
    else if (this.#to.writable) this.#blocked = !this.#to.write(bytes)
  }
}

import { PublishError } from '../errors.ts'
import type { Timers } from '../ports.ts'
import type { CallOptions, WireMessage } from '../wire-message.ts'
import type { Entry } from './store.ts'

interface Waiting {
  readonly lane: string | undefined
  giveUp(reason: unknown): void
}

/** What a publish waits with: its copies, one for each service, and how many of them found no room yet. */
export interface Waits {
  readonly message: WireMessage
  readonly copies: readonly Entry[]
  readonly missing: number
  readonly timeoutMs: number
  readonly signal: CallOptions['signal']
}

/** Publishes that wait for room at a service. When one of a key gives up, those of its key behind it do too (R4). */
export class WaitingRoom {
  readonly #waiting = new Set<Waiting>()
  readonly #timers: Timers

  constructor(timers: Timers) {
    this.#timers = timers
  }

  get size(): number {
    return this.#waiting.size
  }

  /** `admitted` is to be called for each copy that finds room; the promise fulfils with the last one. */
  enter({ message, copies, missing, timeoutMs, signal }: Waits): { readonly settled: Promise<void>; admitted(): void } {
    const { name } = message.destination
    let left = missing
    let admitted = () => {}
    const settled = new Promise<void>((resolve, reject) => {
      const leave = () => {
        this.#waiting.delete(waiting)
        cancel()
        signal?.removeEventListener('abort', onAbort)
      }
      const waiting: Waiting = {
        lane: laneOf(message),
        giveUp: (reason) => {
          leave()
          for (const copy of copies) copy.withdrawn = true
          reject(reason as Error)
        },
      }
      const fail = (reason: unknown) => {
        const behind = this.#behind(waiting)
        waiting.giveUp(reason)
        const text = `publish to "${name}" not tried: an earlier message of its ordering key found no room`
        for (const other of behind) other.giveUp(new PublishError(text, { mayExist: true, cause: reason }))
      }
      const onAbort = () => fail(signal!.reason)
      const cancel = this.#timers.schedule(() => {
        const text = `publish to "${name}" found no room within ${timeoutMs} ms: its services are too slow`
        // a topic remembers it for services that come later
        const mayExist = message.destination.kind === 'topic' || left < copies.length
        fail(new PublishError(text, { scope: 'destination', mayExist }))
      }, timeoutMs)
      this.#waiting.add(waiting)
      signal?.addEventListener('abort', onAbort, { once: true })
      admitted = () => {
        if (--left > 0) return
        leave()
        resolve()
      }
    })
    return { settled, admitted }
  }

  close(reason: Error): void {
    for (const waiting of [...this.#waiting]) waiting.giveUp(reason)
  }

  #behind(waiting: Waiting): Waiting[] {
    if (waiting.lane === undefined) return []
    const all = [...this.#waiting]
    return all.slice(all.indexOf(waiting) + 1).filter(({ lane }) => lane === waiting.lane)
  }
}

function laneOf({ destination: { kind, name }, orderingKey }: WireMessage): string | undefined {
  return orderingKey === undefined ? undefined : JSON.stringify([kind, name, orderingKey])
}

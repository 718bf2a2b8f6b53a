import type { BatchRoute } from './batch.ts'
import type { Lanes } from './lanes.ts'
import type { Ports } from './ports.ts'
import type { Work } from './work.ts'

/** When the batches of a service are full, or have waited long enough: one timer for each definition, none for messages. */
export class GatheringBatches {
  readonly #lanes: Lanes<Work>
  readonly #timers: Ports['timers']
  readonly #onDue: () => void
  readonly #waits = new Map<BatchRoute, { due: boolean; cancel: (() => void) | undefined }>()

  constructor(routes: readonly BatchRoute[], lanes: Lanes<Work>, timers: Ports['timers'], onDue: () => void) {
    for (const route of routes) this.#waits.set(route, { due: false, cancel: undefined })
    this.#lanes = lanes
    this.#timers = timers
    this.#onDue = onDue
  }

  get size(): number {
    return this.#waits.size
  }

  added(route: BatchRoute): void {
    const wait = this.#waits.get(route)!
    if (wait.due) return
    wait.cancel ??= this.#timers.schedule(() => {
      wait.cancel = undefined
      wait.due = true
      this.#onDue()
    }, route.waitMs)
  }

  /** What the next batch that may run holds, or nothing. */
  take(): { readonly route: BatchRoute; readonly taken: ReturnType<Lanes<Work>['takeGroup']> } | undefined {
    for (const [route, wait] of this.#waits) {
      if (!wait.due && this.#lanes.waitingOf(route) < route.size) continue
      const taken = this.#lanes.takeGroup(route, route.size)
      if (taken.length === 0) continue
      this.#waits.delete(route)
      // to the end: the next turn is another's
      this.#waits.set(route, wait)
      wait.cancel?.()
      wait.cancel = undefined
      wait.due = false
      if (this.#lanes.waitingOf(route) > 0) this.added(route)
      return { route, taken }
    }
    return undefined
  }

  close(): void {
    for (const wait of this.#waits.values()) {
      wait.cancel?.()
      wait.cancel = undefined
    }
  }
}

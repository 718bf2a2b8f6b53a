import type { Chance } from './chance.ts'
import type { Trace } from './trace.ts'

/** Whose step it is: what a dead owner had scheduled is never run. */
export interface Owner {
  readonly name: string
  readonly alive: boolean
}

interface Task {
  readonly atMs: number
  readonly order: number
  readonly owner: Owner
  action: (() => void) | undefined
}

const START_MS = 1_700_000_000_000
/** How often time passes although something is due, as in a process that was busy or frozen. */
const LAG = 0.02
const MOST_LAG_MS = 1_000

/**
 * Virtual time and the choice of who goes next. Every step of a simulation is a task in here: a timer, an arrival, an
 * answer. Promise continuations run to their end between two steps, so the order of tasks is all there is to choose.
 */
export class Scheduler {
  nowMs = START_MS
  readonly #chance: Chance
  readonly #trace: Trace
  /** By time, the next one last. */
  readonly #later: Task[] = []
  readonly #due: Task[] = []
  readonly #armed = new Map<Owner, number>()
  #order = 0
  #steps = 0

  constructor(chance: Chance, trace: Trace) {
    this.#chance = chance
    this.#trace = trace
  }

  get steps(): number {
    return this.#steps
  }

  /** Milliseconds since the start. */
  get elapsedMs(): number {
    return this.nowMs - START_MS
  }

  /** Tasks of this owner that wait for their time or turn. */
  armed(owner: Owner): number {
    return this.#armed.get(owner) ?? 0
  }

  schedule(owner: Owner, action: () => void, delayMs: number): () => void {
    if (!(delayMs >= 0 && delayMs < Infinity)) throw new RangeError(`a timer of ${delayMs} ms by ${owner.name}`)
    const task: Task = { atMs: this.nowMs + delayMs, order: this.#order++, owner, action }
    this.#insert(task)
    this.#armed.set(owner, this.armed(owner) + 1)
    return () => this.#end(task)
  }

  /** Runs one task, and every continuation that follows from it; false when there is none. */
  async step(): Promise<boolean> {
    const task = this.#choose()
    if (task === undefined) return false
    const { action, owner, order } = task
    this.#end(task)
    this.#steps++
    this.#trace.add(`${this.elapsedMs} ${owner.name} #${order}`)
    action!()
    await settleContinuations()
    return true
  }

  #choose(): Task | undefined {
    for (;;) {
      this.#collect()
      if (this.#due.length > 0 && !this.#lags()) {
        const index = this.#chance.between(0, this.#due.length - 1)
        const task = this.#due[index]!
        // neither order nor speed asks for more: the last one takes the place of the chosen one
        this.#due[index] = this.#due.at(-1)!
        this.#due.pop()
        if (task.action !== undefined && task.owner.alive) return task
        continue
      }
      const next = this.#later.at(-1)
      if (next === undefined) return undefined
      if (next.action === undefined || !next.owner.alive) this.#later.pop()
      else this.nowMs = Math.max(this.nowMs, next.atMs)
    }
  }

  #lags(): boolean {
    const next = this.#later.at(-1)
    return next !== undefined && next.atMs - this.nowMs <= MOST_LAG_MS && this.#chance.yes(LAG)
  }

  #collect(): void {
    for (let next = this.#later.at(-1); next !== undefined && next.atMs <= this.nowMs; next = this.#later.at(-1)) {
      this.#later.pop()
      if (next.action !== undefined && next.owner.alive) this.#due.push(next)
    }
  }

  #insert(task: Task): void {
    let low = 0
    let high = this.#later.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if (this.#later[middle]!.atMs > task.atMs) low = middle + 1
      else high = middle
    }
    this.#later.splice(low, 0, task)
  }

  #end(task: Task): void {
    if (task.action === undefined) return
    task.action = undefined
    this.#armed.set(task.owner, this.armed(task.owner) - 1)
  }
}

/** Node runs all promise continuations before the next turn of its event loop. */
export function settleContinuations(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}

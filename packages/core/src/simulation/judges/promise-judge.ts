import type { Verdicts } from './verdicts.ts'

interface Promised {
  readonly owner: { readonly alive: boolean }
  readonly what: string
}

/** Watches that every promise given to a user settles, and that what it rejects with has a type. */
export class PromiseJudge {
  readonly #verdicts: Verdicts
  readonly #open = new Set<Promised>()

  constructor(verdicts: Verdicts) {
    this.#verdicts = verdicts
  }

  /** The same promise, watched. */
  watch<T>(owner: Promised['owner'], what: string, promise: Promise<T>): Promise<T> {
    const promised = { owner, what }
    this.#open.add(promised)
    promise.then(
      () => this.#open.delete(promised),
      (error: unknown) => {
        this.#open.delete(promised)
        const code = (error as { code?: unknown } | null)?.code
        if (typeof code !== 'string') this.#verdicts.add(`${what} rejected with no error of ours: ${String(error)}`)
      },
    )
    return promise
  }

  /** What the living still wait for. */
  get open(): readonly string[] {
    const open: string[] = []
    for (const promised of this.#open) {
      if (promised.owner.alive) open.push(promised.what)
      else this.#open.delete(promised)
    }
    return open
  }
}

import { OverloadError, PublishError } from '@waybill/core'
import type { Publication } from './publication.ts'
import { label } from './publish-faults.ts'

/** Messages whose time is over and which the broker has not answered: many, while a queue lacks its majority. */
export class Overdue {
  readonly #window: number
  readonly #publications = new Set<Publication>()
  readonly #byTarget = new Map<string, number>()

  /** No more are taken for a destination that has half a window of them, and none at all beyond four windows. */
  constructor(window: number) {
    this.#window = window
  }

  get size(): number {
    return this.#publications.size
  }

  /** What health tells of them. */
  get problem(): { readonly sinceMs: number; readonly reason: string } | undefined {
    const [first] = this.#publications
    if (first === undefined) return undefined
    const reason = `${this.size} messages not confirmed, the first to ${label(first.destination)}: has a queue lost its majority, is a disk slow?`
    return { sinceMs: first.sentAtMs, reason }
  }

  add(publication: Publication): void {
    this.#publications.add(publication)
    const target = targetOf(publication)
    this.#byTarget.set(target, (this.#byTarget.get(target) ?? 0) + 1)
  }

  delete(publication: Publication): void {
    if (this.size === 0 || !this.#publications.delete(publication)) return
    const target = targetOf(publication)
    const left = this.#byTarget.get(target)! - 1
    if (left > 0) this.#byTarget.set(target, left)
    else this.#byTarget.delete(target)
  }

  clear(): void {
    this.#publications.clear()
    this.#byTarget.clear()
  }

  /** @throws {PublishError} when the broker has to answer first, so that nothing grows without bound */
  check(publication: Publication): void {
    if (this.size === 0) return
    const unanswered = this.#byTarget.get(targetOf(publication)) ?? 0
    const full = this.size >= 4 * this.#window
    if (!full && unanswered < this.#window / 2) return
    const what = full ? `${this.size} messages` : `${unanswered} messages to ${label(publication.destination)}`
    const text = `${what} are not confirmed yet`
    throw new PublishError(`not published: ${text}, check the queues and nodes of RabbitMQ`, {
      scope: full ? 'transport' : 'destination',
      cause: new OverloadError(text),
    })
  }
}

function targetOf({ outgoing: { exchange, routingKey } }: Publication): string {
  return exchange === '' ? `queue ${routingKey}` : `exchange ${exchange}`
}

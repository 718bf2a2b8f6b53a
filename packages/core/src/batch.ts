import type { BatchHandler, Context, Route } from './handler.ts'
import type { Lane } from './lanes.ts'
import { isSettlement } from './is-settlement.ts'
import type { Settlement } from './transport.ts'

/** What a message must have to be handled in a batch. */
export interface BatchItem<Item extends BatchItem<Item>> {
  readonly message: { readonly orderingKey?: string | undefined }
  readonly data: unknown
  readonly passes: boolean
  lane: Lane<Item> | undefined
  batch: Batch<Item> | undefined
  alone: boolean
  goOn: (() => void) | undefined
  timedOut: boolean
  abort(reason: Error): void
}

export type BatchRoute = Extract<Route, { readonly kind: 'batch' }>

/** Not a failure: an earlier message of the same key left the batch, so this one waits for it. */
export class SentAlone extends Error {
  override readonly message = 'an earlier message of the same key left the batch'
}

/** Goes around the call of the handler with all that are in it. */
export type BatchCall<Item> = (
  works: readonly Item[],
  call: () => Promise<readonly Settlement[]>,
) => Promise<readonly Settlement[]>

interface Member<Item> {
  readonly work: Item
  readonly lane: Lane<Item>
  state: 'coming' | 'joined' | 'absent'
  context: Context | undefined
  resolve: ((settlement: Settlement) => void) | undefined
  reject: ((error: unknown) => void) | undefined
}

const ACK: Settlement = Object.freeze({ outcome: 'ack' })

/**
 * Messages on their way to one call of a batch handler. Each goes through all steps by itself and meets the others here;
 * whoever fails before, or with the batch, goes back to the front of its lane and is handled alone.
 */
export class Batch<Item extends BatchItem<Item>> {
  readonly #route: BatchRoute
  readonly #members = new Map<Item, Member<Item>>()
  readonly #onEnded: (alone: readonly Member<Item>[], lanes: ReadonlySet<Lane<Item>>) => void
  readonly #around: BatchCall<Item>
  readonly #alone: Member<Item>[] = []
  #coming: number
  #open: number
  /** How many the handler was called with. */
  #called = 0

  constructor(
    route: BatchRoute,
    taken: readonly { readonly item: Item; readonly lane: Lane<Item> }[],
    onEnded: (alone: readonly Member<Item>[], lanes: ReadonlySet<Lane<Item>>) => void,
    around: BatchCall<Item> = (_, call) => call(),
  ) {
    this.#route = route
    this.#around = around
    this.#onEnded = onEnded
    for (const { item: work, lane } of taken) {
      const member: Member<Item> = {
        work,
        lane,
        state: 'coming',
        context: undefined,
        resolve: undefined,
        reject: undefined,
      }
      this.#members.set(work, member)
      work.batch = this
    }
    this.#coming = this.#open = taken.length
  }

  /** Whether a failure may be another message's fault. */
  get shared(): boolean {
    return this.#called > 1
  }

  /** One failure of the batch counts once. */
  countsFor(work: Item): boolean {
    return !this.shared || this.#members.keys().next().value === work
  }

  /** The message is ready; resolves with its settlement once the batch was handled. */
  join(work: Item, context: Context): Promise<Settlement> {
    return new Promise((resolve, reject) => {
      const member = this.#members.get(work)!
      Object.assign(member, { state: 'joined', context, resolve, reject })
      this.#arrived()
    })
  }

  /** The time of one is the time of all. */
  timeOut(reason: Error): void {
    for (const { work, state } of this.#members.values()) {
      if (state !== 'joined' || work.timedOut) continue
      work.timedOut = true
      work.abort(reason)
    }
  }

  /** The message will not come: the others need not wait for it. */
  absent(work: Item): void {
    const member = this.#members.get(work)!
    if (member.state !== 'coming') return
    member.state = 'absent'
    this.#arrived()
  }

  /** The message is handled alone: resolves when its turn has come, with `false` when it was taken back meanwhile. */
  async alone(work: Item): Promise<boolean> {
    const member = this.#members.get(work)!
    await new Promise<void>((resolve) => {
      work.batch = undefined
      work.lane = undefined
      work.alone = true
      work.goOn = resolve
      this.#alone.push(member)
      this.absent(work)
      this.#end()
    })
    return work.lane !== undefined
  }

  /** The message is settled. */
  settled(work: Item): void {
    this.absent(work)
    this.#end()
  }

  #arrived(): void {
    if (--this.#coming === 0) void this.#call()
  }

  #end(): void {
    if (--this.#open > 0) return
    const members = [...this.#members.values()]
    const alone = new Set(this.#alone)
    this.#onEnded(
      members.filter((member) => alone.has(member)),
      new Set(members.map(({ lane }) => lane)),
    )
  }

  async #call(): Promise<void> {
    const present = this.#present()
    this.#called = present.length
    if (present.length === 0) return
    try {
      const works = present.map(({ work }) => work)
      const contexts = present.map(({ context }) => context!)
      const settlements = await this.#around(works, () =>
        callBatch(
          this.#route.handler as BatchHandler,
          works.map(({ data }) => data),
          contexts,
        ),
      )
      for (const [index, member] of present.entries()) member.resolve!(settlements[index]!)
    } catch (error) {
      for (const member of present) member.reject!(error)
    }
  }

  /** Those that joined, but none behind a message of its key that is to be handled alone. */
  #present(): readonly Member<Item>[] {
    const behind = new Set<Lane<Item>>()
    return [...this.#members.values()].filter((member) => {
      if (member.state === 'joined' && !behind.has(member.lane)) return true
      if (member.work.message.orderingKey !== undefined && !member.work.passes) behind.add(member.lane)
      member.reject?.(new SentAlone())
      return false
    })
  }
}

/** One settlement for each message of the call. */
export async function callBatch(
  handler: BatchHandler,
  datas: readonly unknown[],
  contexts: readonly Context[],
): Promise<readonly Settlement[]> {
  const given: unknown = await handler(datas as never, contexts)
  if (!Array.isArray(given)) return datas.map(() => (isSettlement(given) ? given : ACK))
  if (given.length === datas.length) return given.map((each: unknown) => (isSettlement(each) ? each : ACK))
  throw new TypeError(`a batch of ${datas.length} messages got ${given.length} settlements: return one for each`)
}

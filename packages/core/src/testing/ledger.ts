import { check, type Finding, type SeenEntry, type SentEntry, type Verdict } from './check.ts'

type Mutable<T> = { -readonly [Field in keyof T]: T[Field] }

/** Writes down what is sent and seen, and tells those who wait for it. */
export class Ledger {
  readonly #sent: Mutable<SentEntry>[] = []
  readonly #seen: Mutable<SeenEntry>[] = []
  readonly #distinct = new Map<string, Map<string, number>>()
  /** Confirmed and not seen yet, by reader. */
  readonly #owed = new Map<string, Set<string>>()
  #owedCount = 0
  readonly #onEvent: () => void

  constructor(onEvent: () => void) {
    this.#onEvent = onEvent
  }

  /** The returned function says how the publish ended. */
  sent(entry: Omit<SentEntry, 'confirmed'>): (confirmed: boolean) => void {
    const written = { ...entry, confirmed: false }
    this.#sent.push(written)
    return (confirmed) => {
      written.confirmed = confirmed
      if (confirmed) for (const reader of entry.readers) this.#owe(reader, entry.id)
      this.#onEvent()
    }
  }

  /** The returned function says that the settlement was given. */
  seen(entry: Omit<SeenEntry, 'settled'>): () => void {
    const written = { ...entry, settled: false }
    this.#seen.push(written)
    const counts = this.#distinct.get(entry.reader) ?? new Map<string, number>()
    this.#distinct.set(entry.reader, counts.set(entry.id, (counts.get(entry.id) ?? 0) + 1))
    if (this.#owed.get(entry.reader)?.delete(entry.id)) this.#owedCount -= 1
    this.#onEvent()
    return () => {
      written.settled = true
      this.#onEvent()
    }
  }

  /** How many different messages a reader has seen, or how often it saw one. */
  count(reader: string, id?: string): number {
    const counts = this.#distinct.get(reader)
    return id === undefined ? (counts?.size ?? 0) : (counts?.get(id) ?? 0)
  }

  /** Whether each confirmed message has been seen by all who must. */
  complete(): boolean {
    return this.#owedCount === 0
  }

  findings(allowed: readonly Verdict[] = []): readonly Finding[] {
    const fine = new Set<Verdict>([...allowed, 'recovered'])
    return check({ sent: this.#sent, seen: this.#seen }).filter(({ verdict }) => !fine.has(verdict))
  }

  /** "sent 100 (100 confirmed), seen: billing 99" */
  describe(): string {
    const confirmed = this.#sent.filter((entry) => entry.confirmed).length
    const readers = [...this.#distinct].map(([reader, counts]) => `${reader} ${counts.size}`)
    return `sent ${this.#sent.length} (${confirmed} confirmed), seen: ${readers.join(', ') || 'nothing'}`
  }

  #owe(reader: string, id: string): void {
    const owed = this.#owed.get(reader) ?? new Set<string>()
    this.#owed.set(reader, owed)
    if (this.count(reader, id) > 0 || owed.has(id)) return
    owed.add(id)
    this.#owedCount += 1
  }
}

import { PublishError, subjectMatches, type Destination, type Source, type WireMessage } from '@waybill/core'
import { textRows } from '../database.ts'
import type { ResolvedPostgresOptions } from './options.ts'
import { processReader, queueReader, serviceReader } from './reader-names.ts'

const KNOWN_MS = 5_000

/** Who reads what, so that a publisher can be told when nobody does. */
export class Registry {
  readonly #options: ResolvedPostgresOptions
  readonly #known = new Map<string, number>()

  constructor(options: ResolvedPostgresOptions) {
    this.#options = options
  }

  /** The messages that nobody would get, each with what its publish rejects with. */
  async unroutable(messages: readonly WireMessage[]): Promise<ReadonlyMap<WireMessage, PublishError>> {
    const unroutable = new Map<WireMessage, PublishError>()
    const asked = new Map<WireMessage, string>()
    for (const message of messages) {
      const name = readerOf(message.destination)
      if (name !== undefined) asked.set(message, name)
    }
    const known = asked.size === 0 ? undefined : await this.#existing(new Set(asked.values()))
    for (const [message, name] of asked)
      if (!known!.has(name)) unroutable.set(message, nobodyReads(message.destination))
    const wanted = messages.filter(({ mustRoute, destination }) => mustRoute && destination.kind === 'topic')
    if (wanted.length > 0) {
      const sources = await this.#sources()
      for (const message of wanted) {
        if (!sources.some((source) => reads(source, message.destination))) {
          unroutable.set(message, nobodyReads(message.destination))
        }
      }
    }
    return unroutable
  }

  async #existing(names: ReadonlySet<string>): Promise<ReadonlySet<string>> {
    const nowMs = performance.now()
    const found = new Set([...names].filter((name) => (this.#known.get(name) ?? 0) > nowMs))
    if (found.size === names.size) return found
    const rows = await textRows(
      this.#options.pool,
      `SELECT name FROM ${this.#options.quoted}.reader WHERE name = ANY ($1::text[])`,
      [[...names].filter((name) => !found.has(name))],
    )
    if (this.#known.size > 10_000) this.#known.clear()
    for (const [name] of rows) {
      this.#known.set(name!, nowMs + KNOWN_MS)
      found.add(name!)
    }
    return found
  }

  async #sources(): Promise<readonly Source[]> {
    const rows = await textRows(
      this.#options.pool,
      `SELECT sources FROM ${this.#options.quoted}.reader WHERE sources IS NOT NULL`,
    )
    return rows.flatMap(([sources]) => JSON.parse(sources!) as Source[])
  }
}

/** Whether a source takes a message to this destination. */
export function reads(source: Source, { kind, name, subject = '' }: Destination): boolean {
  return (
    source.kind === kind &&
    source.name === name &&
    (source.subjects === undefined || source.subjects.some((pattern) => subjectMatches(pattern, subject)))
  )
}

/** The reader that has to exist; a topic needs none. */
function readerOf({ kind, name }: Destination): string | undefined {
  if (kind === 'queue') return queueReader(name)
  if (kind === 'service') return serviceReader(name)
  return kind === 'reply' ? processReader(name) : undefined
}

function nobodyReads({ kind, name }: Destination): PublishError {
  const text = `publish to ${kind} "${name}": nobody reads it`
  // whoever waited for a reply has gone, and does not come back under that address
  if (kind === 'reply') return new PublishError(text, { retryable: false })
  return new PublishError(`${text}; subscribe a service to it first`, { scope: 'destination' })
}

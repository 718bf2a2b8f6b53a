import { createHash } from 'node:crypto'
import { PublishError, type WireMessage } from '@waybill/core'

/** An index row holds 2,704 bytes in all. @see https://www.postgresql.org/docs/current/btree.html */
const MOST_BYTES = Object.freeze({ key: 255, orderingKey: 1_024, destination: 512 })

/** A key of inbox or outbox as it is stored and compared: a long one by its hash. */
export function storedKey(key: string): string {
  return exceeds(key, MOST_BYTES.key) ? `sha256:${createHash('sha256').update(key).digest('base64url')}` : key
}

/**
 * A row that could not be moved to `outbox_retry` would hold up all that come after it.
 * @throws {PublishError} not retryable, for an ordering key or a destination's name too long for an index
 */
export function checkIndexed({ type, orderingKey = '', destination }: WireMessage): void {
  const parts = [
    ['an ordering key', orderingKey, MOST_BYTES.orderingKey],
    ['a destination', destination.name, MOST_BYTES.destination],
  ] as const
  for (const [what, text, most] of parts) {
    if (!exceeds(text, most)) continue
    const length = `${Buffer.byteLength(text)} bytes, and PostgreSQL takes ${most}`
    throw new PublishError(`message of type "${type.slice(0, 200)}" has ${what} of ${length}: shorten it`, {
      retryable: false,
    })
  }
}

function exceeds(text: string, bytes: number): boolean {
  // a UTF-16 unit is three bytes at most: short texts need no count
  return text.length * 3 > bytes && Buffer.byteLength(text) > bytes
}

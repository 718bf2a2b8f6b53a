import { serialize } from 'node:v8'
import { crc32 } from 'node:zlib'

/** Deeper data is serialized by V8, which knows of circles. */
const MOST_LEVELS = 32

/**
 * A fingerprint of the data, so that two messages under one key that differ are noticed: by accident one pair in four
 * billion is not. `null` for data that has no serial form: the key alone counts then.
 */
export function contentHash(data: unknown): Buffer | null {
  try {
    const hash = Buffer.allocUnsafe(4)
    hash.writeUInt32BE(crc32(isPlain(data, 0) ? (JSON.stringify(data) ?? '') : serialize(data)))
    return hash
  } catch {
    return null
  }
}

/** Whether JSON tells all of it. It is several times faster than V8's own form, but knows no sets, bytes or big numbers. */
function isPlain(value: unknown, level: number): boolean {
  if (typeof value !== 'object') return typeof value !== 'bigint' && typeof value !== 'function'
  if (value === null) return true
  if (level === MOST_LEVELS) return false
  if (Array.isArray(value)) return value.every((element) => isPlain(element, level + 1))
  const prototype: unknown = Object.getPrototypeOf(value)
  if (prototype !== Object.prototype && prototype !== null) return false
  for (const name in value) {
    if (!isPlain((value as Record<string, unknown>)[name], level + 1)) return false
  }
  return true
}

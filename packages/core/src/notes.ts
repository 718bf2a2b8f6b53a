import type { WireHeaders, WireMessage } from './wire-message.ts'

/** What is known about earlier failures of a message; it travels in headers beside the user's. */
export interface Notes {
  readonly failures: number
  readonly rounds: number
  readonly firstFailedAtMs: number | undefined
  readonly unknownSinceMs: number | undefined
}

const NOTES = /^waybill-/
const NONE: Notes = Object.freeze({ failures: 0, rounds: 0, firstFailedAtMs: undefined, unknownSinceMs: undefined })

/** Reads the notes, and gives the message as its sender wrote it. */
export function readNotes(message: WireMessage): { readonly notes: Notes; readonly message: WireMessage } {
  const { headers } = message
  let noted = false
  for (const name in headers) if (NOTES.test(name)) noted = true
  if (!noted) return { notes: NONE, message }
  const kept = Object.create(null) as Record<string, string | Uint8Array>
  for (const name in headers) if (!NOTES.test(name)) kept[name] = headers[name]!
  const notes = {
    failures: count(headers['waybill-failures']) ?? 0,
    rounds: count(headers['waybill-rounds']) ?? 0,
    firstFailedAtMs: count(headers['waybill-first-failed-at']),
    unknownSinceMs: count(headers['waybill-unknown-since']),
  }
  return { notes, message: { ...message, headers: kept } }
}

/** Writes the notes that go with a requeued or dead-lettered copy. Times are RFC 3339. */
export function writeNotes(service: string, notes: Notes, reason: string, nowMs: number): WireHeaders {
  const headers = Object.create(null) as Record<string, string>
  headers['waybill-service'] = service
  headers['waybill-failures'] = String(notes.failures)
  headers['waybill-rounds'] = String(notes.rounds)
  headers['waybill-reason'] = boundedReason(reason)
  headers['waybill-first-failed-at'] = new Date(notes.firstFailedAtMs ?? nowMs).toISOString()
  headers['waybill-last-failed-at'] = new Date(nowMs).toISOString()
  if (notes.unknownSinceMs !== undefined)
    headers['waybill-unknown-since'] = new Date(notes.unknownSinceMs).toISOString()
  return headers
}

/** A reason of at most 1 KiB, without control characters: it must fit a header of every broker. */
export function boundedReason(reason: string): string {
  const text = reason.replace(/[\u0000-\u001f\u007f]+/g, ' ')
  const bytes = new TextEncoder().encode(text)
  if (bytes.length <= 1_024) return text
  return new TextDecoder().decode(bytes.subarray(0, 1_020), { stream: true })
}

function count(value: string | Uint8Array | undefined): number | undefined {
  if (value === undefined) return undefined
  const text = typeof value === 'string' ? value : new TextDecoder().decode(value)
  const number = /^\d{1,15}$/.test(text) ? Number(text) : Date.parse(text)
  return Number.isFinite(number) ? number : undefined
}

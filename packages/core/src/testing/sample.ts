import { uuidv7 } from '../ports.ts'
import type { Destination, WireHeaders, WireMessage } from '../wire-message.ts'

const encoder = new TextEncoder()

/** A message of the suite: numbered, in a body that says so. */
export function sample(destination: Destination, number: number, extra: Partial<WireMessage> = {}): WireMessage {
  return {
    id: uuidv7(Date.now()),
    type: 'suite.sample',
    destination,
    contentType: 'application/json',
    body: encoder.encode(JSON.stringify({ number })),
    attributes: { source: '/suite', time: new Date().toISOString() },
    headers: headersOf({ number: String(number) }),
    ...extra,
  }
}

export function samples(destination: Destination, count: number, extra: Partial<WireMessage> = {}): WireMessage[] {
  return Array.from({ length: count }, (_, number) => sample(destination, number, extra))
}

/** Headers as the contract wants them: without a prototype. */
export function headersOf(entries: Record<string, string | Uint8Array>): WireHeaders {
  return Object.assign(Object.create(null) as Record<string, string | Uint8Array>, entries)
}

/** The number that `sample` wrote into the body, -1 for a foreign body. */
export function numberOf({ body }: WireMessage): number {
  try {
    const data = JSON.parse(new TextDecoder().decode(body ?? undefined)) as { number?: number }
    return data.number ?? -1
  } catch {
    return -1
  }
}

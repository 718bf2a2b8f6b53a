import type { ParkedMessage } from '../parked.ts'
import { printable } from './terminal-text.ts'

const MOST_REASON = 160
const MOST_BODY = 10_000

/** One line of a list: no payload. */
export function lineOf({ handle, service, reason, attempts, parkedAtMs, message }: ParkedMessage): string {
  const { id, type, orderingKey } = message
  const key = orderingKey === undefined ? [] : [`key ${orderingKey}`]
  const why = reason.length > MOST_REASON ? `${reason.slice(0, MOST_REASON)}…` : reason
  const parts = [handle, timeOf(parkedAtMs), service, type || 'no type', id, ...key, `${attempts} attempts`, why]
  return parts.map(printable).join('  ')
}

/** The same for `--json`. */
export function outlineOf({ message, parkedAtMs, ...rest }: ParkedMessage) {
  const { id, type, destination, orderingKey, correlationId, contentType, body } = message
  const bodyBytes = body?.byteLength ?? null
  return {
    ...rest,
    parkedAt: timeOf(parkedAtMs),
    id,
    type,
    destination,
    orderingKey,
    correlationId,
    contentType,
    bodyBytes,
  }
}

/** All of a message, payload too, for `--json`: bytes that are no text in base64. */
export function wholeOf(item: ParkedMessage) {
  const { body, headers, attributes, expiresAtMs } = item.message
  const text = body === null ? null : textIn(body)
  return {
    ...outlineOf(item),
    expiresAt: expiresAtMs === undefined ? undefined : timeOf(expiresAtMs),
    attributes,
    headers: Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, headerText(value)])),
    ...(text === undefined ? { bodyBase64: Buffer.from(body!).toString('base64') } : { body: text }),
  }
}

/** All of a message for a reader. */
export function pageOf({ handle, service, reason, attempts, parkedAtMs, message }: ParkedMessage): string {
  const { id, type, destination, contentType, body, orderingKey, correlationId, expiresAtMs } = message
  const subject = destination.subject === undefined ? '' : `, subject ${destination.subject}`
  const facts: [string, string | undefined][] = [
    ['handle', handle],
    ['service', service],
    ['reason', reason],
    ['attempts', String(attempts)],
    ['parked', timeOf(parkedAtMs)],
    ['id', id],
    ['type', type],
    ['from', `${destination.kind} ${destination.name}${subject}`],
    ['key', orderingKey],
    ['correlation', correlationId],
    ['expires', expiresAtMs === undefined ? undefined : timeOf(expiresAtMs)],
    ...Object.entries(message.attributes).map(([name, value]): [string, string] => [`attribute ${name}`, value]),
    ...Object.entries(message.headers).map(([name, value]): [string, string] => [`header ${name}`, headerText(value)]),
    ['body', body === null ? 'none' : `${contentType || 'no content type'}, ${body.byteLength} bytes`],
  ]
  const known = facts.filter((fact): fact is [string, string] => fact[1] !== undefined && fact[1] !== '')
  const width = Math.max(...known.map(([name]) => printable(name).length))
  const lines = known.map(([name, value]) => `${printable(name).padEnd(width)}  ${printable(value)}`)
  return [...lines, ...(body === null || body.byteLength === 0 ? [] : [bodyText(body)])].join('\n')
}

function bodyText(body: Uint8Array): string {
  const text = textIn(body) ?? Buffer.from(body).toString('base64')
  const shown = text.slice(0, MOST_BODY).split('\n').map(printable).join('\n')
  return text.length > MOST_BODY ? `${shown}\n… ${text.length - MOST_BODY} characters more: --json shows all` : shown
}

function textIn(bytes: Uint8Array): string | undefined {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)
  } catch {
    return undefined
  }
}

function headerText(value: string | Uint8Array): string {
  return typeof value === 'string' ? value : `base64:${Buffer.from(value).toString('base64')}`
}

/** A broker may have kept a time that is none. */
function timeOf(ms: number): string {
  const time = new Date(ms)
  return Number.isNaN(time.getTime()) ? 'unknown' : time.toISOString()
}

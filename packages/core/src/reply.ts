import { json, type Codec } from './codec.ts'
import type { EventDefinition, RequestDefinition } from './definition.ts'
import { boundedReason } from './notes.ts'
import type { Ports } from './ports.ts'
import { convert } from './upcast.ts'
import type { WireMessage } from './wire-message.ts'

/**
 * The answer to a request as a definition of its own: `<wire type>.reply`, to one reply address. Whoever asked in an older
 * version is answered in that one.
 */
export function replyDefinition(
  request: RequestDefinition,
  replyTo: string,
  asked: string = request.wireType,
): EventDefinition {
  const { transport } = request.destination
  const wireType = `${request.older?.has(asked) === true ? asked : request.wireType}.reply`
  return {
    kind: 'event',
    type: wireType,
    version: 1,
    wireType,
    schema: request.reply,
    codec: replyCodec(request, asked),
    destination: { kind: 'reply', name: replyTo, transport },
    ttlMs: undefined,
    delivery: 'at-least-once',
    mustRoute: false,
  }
}

function replyCodec(request: RequestDefinition, asked: string): Codec {
  const { replyCodec, version } = request
  const older = request.older?.get(asked)
  if (older === undefined) return replyCodec
  const downcast = request.downcast?.get(asked)
  // what the older definition would have written it with; a plain upcaster says nothing about it
  const codec = older.replyCodec ?? replyCodec
  if (downcast === undefined) return codec
  const what = `downcast of the reply to "${request.type}" from version ${version} to ${older.version}`
  return { ...codec, encode: (reply) => codec.encode(convert(what, downcast, reply)) }
}

/** What a requester is told of a failure: code and text, at most 1 KiB, no stack. */
export function errorReply(
  request: RequestDefinition,
  message: WireMessage,
  error: unknown,
  context: { readonly source: string; readonly ports: Ports },
): WireMessage {
  const { code, retryable } = (error ?? {}) as { readonly code?: unknown; readonly retryable?: unknown }
  const text = error instanceof Error ? error.message : 'the responder failed'
  const definition = replyDefinition(request, message.replyTo!, message.type)
  return {
    id: context.ports.newId(),
    type: definition.wireType,
    destination: definition.destination,
    contentType: json.contentType,
    body: json.encode({ message: boundedReason(text), retryable: retryable === true }),
    attributes: {
      source: context.source,
      time: new Date(context.ports.clock.nowMs()).toISOString(),
      errorcode: typeof code === 'string' && /^[\w.-]{1,100}$/.test(code) ? code : 'INTERNAL',
      causationid: message.id,
    },
    headers: Object.create(null) as Record<string, string>,
    ...(message.correlationId !== undefined && { correlationId: message.correlationId }),
  }
}

import { json } from './codec.ts'
import type { EventDefinition, RequestDefinition } from './definition.ts'
import { boundedReason } from './notes.ts'
import type { Ports } from './ports.ts'
import type { WireMessage } from './wire-message.ts'

/** The answer to a request as a definition of its own: `<wire type>.reply`, to one reply address. */
export function replyDefinition(request: RequestDefinition, replyTo: string): EventDefinition {
  const { transport } = request.destination
  return {
    kind: 'event',
    type: `${request.wireType}.reply`,
    version: 1,
    wireType: `${request.wireType}.reply`,
    schema: request.reply,
    codec: request.codec,
    destination: { kind: 'reply', name: replyTo, transport },
    ttlMs: undefined,
    delivery: 'at-least-once',
    mustRoute: false,
  }
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
  const definition = replyDefinition(request, message.replyTo!)
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

import { json, type Codec } from './codec.ts'
import type { EventDefinition, RequestDefinition } from './definition.ts'
import { RemoteError } from './errors.ts'
import { decode } from './message.ts'
import { boundedReason } from './notes.ts'
import type { Ports } from './ports.ts'
import { convert } from './upcast.ts'
import type { WireMessage } from './wire-message.ts'

/** Who answers: a CloudEvents extension attribute of each reply. */
const SERVICE_ATTRIBUTE = 'service'

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

/** The reply with the name of the service that gives it. */
export function signReply(reply: WireMessage, answersAs: string): WireMessage {
  return { ...reply, attributes: { ...reply.attributes, [SERVICE_ATTRIBUTE]: answersAs } }
}

/** What a requester is told of a failure: code and text, at most 1 KiB, no stack. */
export function errorReply(
  request: RequestDefinition,
  message: WireMessage,
  error: unknown,
  context: { readonly source: string; readonly ports: Ports; readonly answersAs: string },
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
      [SERVICE_ATTRIBUTE]: context.answersAs,
    },
    headers: Object.create(null) as Record<string, string>,
    ...(message.correlationId !== undefined && { correlationId: message.correlationId }),
  }
}

/** Whose reply this is. A responder of another make may name no service; its source stands for it, or its id. */
export function serviceOf({ attributes, id }: WireMessage): string {
  return attributes[SERVICE_ATTRIBUTE] ?? attributes['source'] ?? id
}

/**
 * The data of a reply.
 * @throws {RemoteError} it tells of a failure; @throws {ValidationError} @throws {CodecError} it can't be read
 */
export async function readReply(request: RequestDefinition, reply: WireMessage): Promise<unknown> {
  const code = reply.attributes['errorcode']
  if (code !== undefined) throw remoteError(code, reply)
  return await decode(replyDefinition(request, ''), reply)
}

function remoteError(remoteCode: string, { attributes, body }: WireMessage): RemoteError {
  let told: { readonly message?: unknown; readonly retryable?: unknown } = {}
  try {
    told = (json.decode(body ?? new Uint8Array()) ?? {}) as typeof told
  } catch {
    // a responder of another make may say nothing more than its code
  }
  const text = typeof told.message === 'string' ? told.message.slice(0, 1_024) : 'the responder failed'
  const service = attributes[SERVICE_ATTRIBUTE]
  return new RemoteError(text, { remoteCode, retryable: told.retryable === true, service })
}

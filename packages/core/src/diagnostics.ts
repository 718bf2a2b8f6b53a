import { channel } from 'node:diagnostics_channel'
import type { ProcessOutcome } from './telemetry.ts'

/** On `waybill:publish`, when the carrier has taken a message or refused it. */
export interface PublishEvent {
  readonly id: string
  readonly type: string
  readonly destination: string
  readonly transport: string
  readonly correlationId: string | undefined
  readonly outcome: 'published' | 'failed'
  /** The error's `code`. */
  readonly errorCode: string | undefined
  readonly durationMs: number
}

/**
 * On `waybill:deliver`, when a message's turn has come and before it is handled. A store bound to the channel
 * (`channel.bindStore`) holds for the handler and all it starts.
 */
export interface DeliverEvent {
  readonly id: string
  readonly type: string
  readonly service: string
  readonly transport: string
  readonly correlationId: string | undefined
  readonly attempt: number
}

/** On `waybill:settle`, when handling has ended, retries in the process included. */
export interface SettleEvent extends DeliverEvent {
  readonly outcome: ProcessOutcome
  /** Tries that failed. */
  readonly failures: number
  /** The `code` of what the last of them failed with. */
  readonly errorCode: string | undefined
  readonly durationMs: number
}

/** On `waybill:request`, when a request has its answer or failed. */
export interface RequestEvent {
  readonly type: string
  readonly destination: string
  readonly transport: string
  readonly outcome: 'replied' | 'failed'
  readonly errorCode: string | undefined
  readonly durationMs: number
}

/** On `waybill:late-reply`, for a reply that nobody waits for: too late, a duplicate, forged. */
export interface LateReplyEvent {
  /** How many the bus has had since it was made. */
  readonly total: number
}

/**
 * The library's channels of `node:diagnostics_channel`. Events hold names, ids and times; never a body or a header.
 * @see https://nodejs.org/api/diagnostics_channel.html
 */
export function diagnosticsChannels() {
  return {
    publish: channel('waybill:publish'),
    deliver: channel('waybill:deliver'),
    settle: channel('waybill:settle'),
    request: channel('waybill:request'),
    lateReply: channel('waybill:late-reply'),
  }
}

/** An error's own `code`, if it has one. */
export function codeOf(error: unknown): string | undefined {
  const code = (error as { readonly code?: unknown } | null | undefined)?.code
  return typeof code === 'string' ? code : undefined
}

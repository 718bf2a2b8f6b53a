import type { Capabilities } from '@waybill/core'
import type { ResolvedOptions } from './options.ts'
import { MAX_BODY_BYTES, MAX_HEADER_BYTES } from './wire.ts'

/** What RabbitMQ does with these options. */
export function capabilitiesOf(options: ResolvedOptions): Capabilities {
  return Object.freeze({
    confirm: 'disk',
    orderedPublish: options.keyOrder === 'pipelined' ? true : undefined,
    unroutable: true,
    persistent: true,
    order: 'key',
    services: true,
    broadcast: true,
    attempts: 'exact',
    requeue: 'copy',
    maxDelayMs: options.retryStepsMs.at(-1)!,
    maxHoldMs: options.maxHoldMs,
    deadLetter: true,
    ackBefore: true,
    priority: true,
    nullBody: true,
    binaryHeaders: true,
    maxBodyBytes: MAX_BODY_BYTES,
    maxHeaderBytes: MAX_HEADER_BYTES,
  } satisfies Capabilities)
}

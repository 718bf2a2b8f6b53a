import { PublishError } from '@waybill/core'
import type { Destination } from '@waybill/core'
import { refused } from './wire.ts'
import type { Outgoing } from './wire.ts'

interface Sent {
  readonly outgoing: Outgoing
  readonly destination: Destination
  readonly returned: string | undefined
}

/** The broker closes the whole channel over one message: find out whose fault it was. */
export function lostWith(entry: Sent, reason: (Error & { code?: number }) | undefined): PublishError {
  const { outgoing, destination } = entry
  const text = reason?.message ?? ''
  const exchange = /exchange '([^']*)'/.exec(text)?.[1]
  if ((reason?.code === 404 || reason?.code === 403) && exchange === outgoing.exchange) {
    return new PublishError(`publish to ${label(destination)} refused: ${text.slice(0, 200)}`, {
      scope: 'destination',
      cause: reason,
    })
  }
  const size = /message size (\d+)/.exec(text)?.[1]
  if (reason?.code === 406 && size !== undefined && Number(size) === outgoing.content.length) {
    return refused(`a body of ${size} bytes is over the broker's max_message_size`)
  }
  return unknown(text === '' ? 'the connection was lost' : text.slice(0, 200), reason)
}

export function label({ kind, name }: Destination): string {
  return `${kind} "${name}"`
}

export function unroutable({ destination, returned }: Sent): PublishError {
  const text = `publish to ${label(destination)}: nobody is bound (${returned})`
  if (destination.kind === 'reply') return new PublishError(`${text}, the requester is gone`, { retryable: false })
  return new PublishError(`${text}: start or declare what reads it`, { scope: 'destination' })
}

export function notReached(cause: Error): PublishError {
  return new PublishError(`not published, RabbitMQ is not reached: ${cause.message}`, { scope: 'transport', cause })
}

export function unknown(reason: string, cause?: Error): PublishError {
  return new PublishError(`not known whether RabbitMQ has the message: ${reason}`, {
    scope: 'transport',
    mayExist: true,
    ...(cause !== undefined && { cause }),
  })
}

import type { Context, Handler, Responder, Route } from '../handler.ts'
import type { Logger } from '../logger.ts'
import { decode, encode, messageInfo } from '../message.ts'
import type { Outgoing } from '../outgoing.ts'
import { UnrecoverableError } from '../errors.ts'
import type { Ports } from '../ports.ts'
import { errorReply, replyDefinition, signReply } from '../reply.ts'
import { outsideTransactions } from '../transaction-scope.ts'
import type { Settlement } from '../transport.ts'
import type { Work } from '../work.ts'
import type { Next } from './step.ts'

export interface HandleOptions {
  readonly service: string
  /** The name that replies carry. */
  readonly answersAs: string
  readonly source: string
  readonly logger: Logger
  readonly outgoing: Outgoing
  readonly ports: Ports
}

const ACK: Settlement = Object.freeze({ outcome: 'ack' })

/** The last step: decodes, and calls the route's handler or responder. */
export function handle(options: HandleOptions): Next {
  const run: Next = async (work) => {
    const { route } = work
    try {
      if (route!.kind === 'respond') return await answer(work, route!, options)
      if (route!.kind === 'forward') {
        return (await route!.forward(work.message, contextOf(work, route!, options))) ?? ACK
      }
      const given = decode(route!.definition, work.message)
      const data = given instanceof Promise ? await given : given
      const handler = route!.handler as Handler
      return (await handler(data as never, contextOf(work, route!, options))) ?? ACK
    } finally {
      work.endTry()
    }
  }
  return (work) => outsideTransactions(run, work)
}

/** The reply goes out before the request is acked; a failure is an answer too. */
async function answer(
  work: Work,
  { definition, responder }: Extract<Route, { readonly kind: 'respond' }>,
  options: HandleOptions,
): Promise<Settlement> {
  const { message } = work
  if (message.replyTo === undefined) throw new UnrecoverableError(`request "${message.type}" came without replyTo`)
  const reply = await answerOf().catch((error: unknown) => {
    options.logger.warn({ service: options.service, type: message.type, id: message.id }, 'responder failed')
    return errorReply(definition, message, error, options)
  })
  await options.outgoing.publish(reply, {}).catch((error: unknown) => {
    // nobody waits there any more: the requester is gone, and the request is done
    const fault = (error as { fault?: { scope?: unknown; retryable?: unknown } } | null)?.fault
    if (fault?.scope !== 'message' || fault.retryable !== false) throw error
  })
  return ACK

  async function answerOf() {
    const data = await decode(definition, message)
    const given = await (responder as Responder)(data as never, contextOf(work, { definition } as Route, options))
    const sending = { correlationId: message.correlationId, causationId: message.id }
    return signReply(
      await encode(replyDefinition(definition, message.replyTo!, message.type), given, sending, options),
      options.answersAs,
    )
  }
}

function contextOf(work: Work, { definition }: Pick<Route, 'definition'>, { service, logger }: HandleOptions): Context {
  return {
    message: messageInfo(definition, work.message),
    service,
    attempt: work.attempt,
    get signal() {
      return work.signal
    },
    logger,
  }
}

import type { Handler, Responder, Route } from '../handler.ts'
import type { IntakeContext } from '../intake-context.ts'
import { encode } from '../message.ts'
import { replyDefinition, signReply } from '../reply.ts'
import type { Settlement } from '../transport.ts'
import type { Work } from '../work.ts'
import { contextOf } from './context-of.ts'
import type { Next } from './step.ts'

const ACK: Settlement = Object.freeze({ outcome: 'ack' })

/** The last step: calls the route's handler or responder. */
export function handle(context: IntakeContext): Next {
  return async (work) => {
    const route = work.route!
    if (route.kind === 'respond') return await respondTo(work, route, context)
    if (route.kind === 'forward') return (await route.forward(work.message, contextOf(work, context))) ?? ACK
    const handler = route.handler as Handler
    return (await handler(work.data as never, contextOf(work, context))) ?? ACK
  }
}

async function respondTo(
  work: Work,
  { definition, responder }: Extract<Route, { readonly kind: 'respond' }>,
  context: IntakeContext,
): Promise<Settlement> {
  const { id, type, replyTo, correlationId } = work.message
  const given = await (responder as Responder)(work.data as never, contextOf(work, context))
  const reply = await encode(
    replyDefinition(definition, replyTo!, type),
    given,
    { correlationId, causationId: id },
    context.bus,
  )
  work.reply = signReply(reply, context.options.answersAs)
  return ACK
}

import { callBatch, type BatchRoute } from '../batch.ts'
import type { BatchHandler, Handler, Responder, Route } from '../handler.ts'
import type { IntakeContext } from '../intake-context.ts'
import { isSettlement } from '../is-settlement.ts'
import { encode } from '../message.ts'
import { replyDefinition, signReply } from '../reply.ts'
import type { Settlement } from '../transport.ts'
import type { Work } from '../work.ts'
import { contextOf } from './context-of.ts'
import type { Next, Outcome } from './step.ts'

const ACK: Settlement = Object.freeze({ outcome: 'ack' })

/** The last step: calls the route's handler or responder. */
export function handle(context: IntakeContext): Next {
  return (work) => {
    const route = work.route!
    if (route.kind === 'batch') return batched(work, route, context)
    if (route.kind === 'respond') return respondTo(work, route, context)
    if (route.kind === 'forward') return outcomeOf(route.forward(work.message, contextOf(work, context)))
    return outcomeOf((route.handler as Handler)(work.data as never, contextOf(work, context)))
  }
}

function batched(work: Work, { handler }: BatchRoute, context: IntakeContext): Outcome {
  if (work.batch !== undefined) return work.batch.join(work, contextOf(work, context))
  return callBatch(handler as BatchHandler, [work.data], [contextOf(work, context)]).then(([settlement]) => settlement!)
}

/** What returns no settlement has done its work. */
function outcomeOf(given: unknown): Outcome {
  if (typeof (given as { then?: unknown } | null | undefined)?.then === 'function') {
    return Promise.resolve(given).then(settlementOf)
  }
  return settlementOf(given)
}

function settlementOf(given: unknown): Settlement {
  return isSettlement(given) ? given : ACK
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

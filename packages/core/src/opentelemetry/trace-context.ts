import {
  createTraceState,
  isSpanContextValid,
  trace,
  TraceFlags,
  type SpanContext,
  type TextMapPropagator,
} from '@opentelemetry/api'

const TRACEPARENT = 'traceparent'
const TRACESTATE = 'tracestate'
const MAX_TRACESTATE_LENGTH = 512
const VERSION_0 = /^00-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})$/
const LATER_VERSION =
  /^(?!00|ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})(?:-[\x21-\x7e]*)?$/

/**
 * Writes and reads the trace context of a message. What is not to the letter of the recommendation is ignored: a header
 * of somebody else's must not name our traces.
 * @see https://www.w3.org/TR/trace-context/
 */
export const w3cTraceContext: TextMapPropagator<unknown> = Object.freeze({
  fields: () => [TRACEPARENT, TRACESTATE],

  inject(context, carrier, setter) {
    const span = trace.getSpanContext(context)
    if (span === undefined || !isSpanContextValid(span)) return
    const flags = (span.traceFlags & TraceFlags.SAMPLED).toString(16).padStart(2, '0')
    setter.set(carrier, TRACEPARENT, `00-${span.traceId}-${span.spanId}-${flags}`)
    const state = span.traceState?.serialize()
    if (state !== undefined && state !== '') setter.set(carrier, TRACESTATE, state)
  },

  extract(context, carrier, getter) {
    const span = readTraceparent(getter.get(carrier, TRACEPARENT))
    if (span === undefined) return context
    const state = getter.get(carrier, TRACESTATE)
    if (typeof state !== 'string' || state === '' || state.length > MAX_TRACESTATE_LENGTH) {
      return trace.setSpanContext(context, span)
    }
    return trace.setSpanContext(context, { ...span, traceState: createTraceState(state) })
  },
} satisfies TextMapPropagator<unknown>)

/** The span that a `traceparent` names; nothing for anything that is not exactly one. */
export function readTraceparent(value: unknown): SpanContext | undefined {
  if (typeof value !== 'string' || value.length > 256) return undefined
  const [, traceId, spanId, flags] = VERSION_0.exec(value) ?? LATER_VERSION.exec(value) ?? []
  if (traceId === undefined || spanId === undefined || flags === undefined) return undefined
  return { traceId, spanId, traceFlags: Number.parseInt(flags, 16) & TraceFlags.SAMPLED, isRemote: true }
}

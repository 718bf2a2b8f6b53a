import {
  context,
  metrics,
  ROOT_CONTEXT,
  SpanKind,
  SpanStatusCode,
  trace,
  type Attributes,
  type Context,
  type Meter,
  type Span,
  type TextMapPropagator,
  type Tracer,
} from '@opentelemetry/api'
import type {
  BatchFacts,
  Failure,
  ProcessEnd,
  ProcessFacts,
  SendFacts,
  Telemetry,
  TelemetryOperation,
} from '../telemetry.ts'
import type { WireMessage } from '../wire-message.ts'
import { createErrorTypes } from './error-type.ts'
import { headerGetter, headerSetter } from './header-carrier.ts'
import { createInstruments, type Instruments } from './instruments.ts'
import { ATTRIBUTE, OTHER_ERROR } from './names.ts'
import { describe, sendName } from './operation.ts'
import { readTraceparent, w3cTraceContext } from './trace-context.ts'

export interface OpenTelemetryOptions {
  /** @default the global tracer provider's, by the name of this package */
  readonly tracer?: Tracer | undefined
  /** @default the global meter provider's, by the name of this package */
  readonly meter?: Meter | undefined
  /** How the context of a trace travels in headers. @default W3C trace context alone, read strictly */
  readonly propagator?: TextMapPropagator<unknown> | undefined
}

const NAME = '@waybill/core'

/**
 * Spans and metrics by the messaging conventions, for the option `telemetry` of bus, outbox, relay and inbox. One
 * producer and one consumer span per message; the consumer's is the child of the producer's, and linked to it. A call of
 * a batch handler has a span of its own, linked to each message; what the handler starts is its child. It takes
 * the API only: without an SDK it records nothing, and a trace that came in still goes on.
 * @example createBus({ transport, source: '/billing', telemetry: openTelemetry() })
 * @see https://opentelemetry.io/docs/specs/semconv/messaging/
 */
export function openTelemetry(options: OpenTelemetryOptions = {}): Telemetry {
  const tracer = options.tracer ?? trace.getTracer(NAME)
  const instruments = createInstruments(options.meter ?? metrics.getMeter(NAME))
  return new MessagingTelemetry(tracer, instruments, options.propagator ?? w3cTraceContext)
}

class MessagingTelemetry implements Telemetry {
  readonly count: Telemetry['count']
  readonly observe: Telemetry['observe']
  readonly #tracer: Tracer
  readonly #instruments: Instruments
  readonly #propagator: TextMapPropagator<unknown>
  readonly #errorType = createErrorTypes()

  constructor(tracer: Tracer, instruments: Instruments, propagator: TextMapPropagator<unknown>) {
    this.#tracer = tracer
    this.#instruments = instruments
    this.#propagator = propagator
    this.count = instruments.count
    this.observe = instruments.observe
  }

  send({ operation, message, transport }: SendFacts): ReturnType<Telemetry['send']> {
    const name = operation === 'create' ? operation : sendName(message.destination)
    const { spanName, attributes } = describe(name, operation, message.destination, transport)
    // a context that the sender gave is the message's own: it stays, and this span points to it
    const given = readTraceparent(headerGetter.get(message.headers, 'traceparent'))
    const span = this.#tracer.startSpan(spanName, {
      kind: given === undefined ? SpanKind.PRODUCER : SpanKind.CLIENT,
      attributes: { ...attributes, ...perMessage(message), [ATTRIBUTE.messageType]: message.type },
      ...(given !== undefined && { links: [{ context: given }] }),
    })
    const within = trace.setSpan(context.active(), span)
    const sinceMs = performance.now()
    return {
      message: given === undefined ? this.#inject(message, within) : message,
      run: (work) => context.with(within, work),
      end: (failure) => {
        const ended = this.#end(span, attributes, failure)
        // what an outbox keeps has not been sent
        if (operation === 'create') return
        this.#instruments.sent.add(1, ended, within)
        this.#instruments.operationDuration.record(secondsSince(sinceMs), ended, within)
      },
    }
  }

  process(facts: ProcessFacts): ReturnType<Telemetry['process']> {
    const { message, definition, transport, service, attempt } = facts
    const { spanName, attributes } = describe('process', 'process', definition?.destination, transport)
    if (service !== undefined) attributes[ATTRIBUTE.consumerGroup] = service
    // never the ambient context: what happens to be active when a carrier delivers has nothing to do with the message
    const sent = this.#propagator.extract(ROOT_CONTEXT, message.headers, headerGetter)
    const origin = trace.getSpanContext(sent)
    const span = this.#tracer.startSpan(
      spanName,
      {
        kind: SpanKind.CONSUMER,
        attributes: {
          ...attributes,
          ...perMessage(message),
          ...(definition !== undefined && { [ATTRIBUTE.messageType]: definition.wireType }),
          [ATTRIBUTE.attempt]: attempt,
        },
        ...(origin !== undefined && { links: [{ context: origin }] }),
      },
      sent,
    )
    const within = trace.setSpan(sent, span)
    const sinceMs = performance.now()
    return {
      run: (work) => context.with(within, work),
      end: (end) => this.#processed(span, within, attributes, end, secondsSince(sinceMs)),
    }
  }

  /** A span of its own: the call has as many parents as messages, so it is linked to each and the child of none. */
  batch({ messages, definition, service, transport }: BatchFacts): TelemetryOperation<Failure> {
    const { spanName, attributes } = describe('process_batch', 'process', definition.destination, transport)
    const links = messages.flatMap(({ headers }) => {
      const origin = trace.getSpanContext(this.#propagator.extract(ROOT_CONTEXT, headers, headerGetter))
      return origin === undefined ? [] : [{ context: origin }]
    })
    const span = this.#tracer.startSpan(
      spanName,
      {
        kind: SpanKind.CONSUMER,
        attributes: {
          ...attributes,
          [ATTRIBUTE.consumerGroup]: service,
          [ATTRIBUTE.batchCount]: messages.length,
          [ATTRIBUTE.messageType]: definition.wireType,
        },
        links,
      },
      ROOT_CONTEXT,
    )
    return {
      run: (work) => context.with(trace.setSpan(ROOT_CONTEXT, span), work),
      // durations and counts are told by the messages, each for itself
      end: (failure) => void this.#end(span, attributes, failure),
    }
  }

  request(...[{ destination }, transport]: Parameters<Telemetry['request']>): ReturnType<Telemetry['request']> {
    const { spanName, attributes } = describe('request', undefined, destination, transport)
    const span = this.#tracer.startSpan(spanName, { kind: SpanKind.CLIENT, attributes })
    const within = trace.setSpan(context.active(), span)
    const sinceMs = performance.now()
    return {
      run: (work) => context.with(within, work),
      end: (failure) => {
        const ended = this.#end(span, attributes, failure)
        this.#instruments.operationDuration.record(secondsSince(sinceMs), ended, within)
      },
    }
  }

  #processed(span: Span, within: Context, attributes: Attributes, end: ProcessEnd, seconds: number): void {
    const { outcome, failures, error } = end
    const { consumed, processDuration, retries, deadLetters, expired } = this.#instruments
    const gaveUp = outcome === 'deadLetter'
    // an error and no failed try: it was the answer to a request
    const answered = error !== undefined && failures === 0
    const failed = gaveUp || outcome === 'requeue' || (outcome === 'release' && failures > 0) || answered
    span.setAttribute(ATTRIBUTE.outcome, outcome)
    if (failures > 0) span.setAttribute(ATTRIBUTE.failures, failures)
    const ended = this.#end(span, attributes, failed ? { error } : undefined)
    consumed.add(1, ended, within)
    processDuration.record(seconds, ended, within)
    // the last failure of what was given up on, or given back, is followed by no try of ours
    const again = gaveUp || outcome === 'release' ? failures - 1 : failures
    if (again > 0) retries.add(again, attributes, within)
    if (gaveUp) deadLetters.add(1, attributes, within)
    if (outcome === 'expired') expired.add(1, attributes, within)
  }

  /** Ends the span, and gives the attributes of its metrics. An error's text stays out: it may hold anything. */
  #end(span: Span, attributes: Attributes, failure: Failure): Attributes {
    if (failure === undefined) {
      span.end()
      return attributes
    }
    const type = failure.error === undefined ? OTHER_ERROR : this.#errorType(failure.error)
    span.setAttribute(ATTRIBUTE.errorType, type)
    span.setStatus({ code: SpanStatusCode.ERROR })
    span.end()
    return { ...attributes, [ATTRIBUTE.errorType]: type }
  }

  #inject(message: WireMessage, within: Context): WireMessage {
    const headers = Object.assign(Object.create(null), message.headers) as Record<string, string | Uint8Array>
    // one that is not to the letter would be passed on beside ours
    delete headers.traceparent
    delete headers.tracestate
    this.#propagator.inject(within, headers, headerSetter)
    return { ...message, headers }
  }
}

function perMessage({ id, correlationId }: WireMessage): Attributes {
  return {
    [ATTRIBUTE.messageId]: id,
    ...(correlationId !== undefined && { [ATTRIBUTE.conversationId]: correlationId }),
  }
}

function secondsSince(sinceMs: number): number {
  return (performance.now() - sinceMs) / 1_000
}

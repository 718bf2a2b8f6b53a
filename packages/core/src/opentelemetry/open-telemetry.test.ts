import { context, SpanKind, SpanStatusCode, trace, type Tracer } from '@opentelemetry/api'
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks'
import {
  AggregationTemporality,
  InMemoryMetricExporter,
  MeterProvider,
  PeriodicExportingMetricReader,
} from '@opentelemetry/sdk-metrics'
import { InMemorySpanExporter, SimpleSpanProcessor, TracerProvider, type ReadableSpan } from '@opentelemetry/sdk-trace'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { z } from 'zod'
import type { BusOptions } from '../bus.ts'
import { createBus } from '../create-bus.ts'
import { defineEvent, defineRequest } from '../definition.ts'
import { UnrecoverableError } from '../errors.ts'
import { on, respond } from '../handler.ts'
import { memory } from '../memory/index.ts'
import { onBatch } from '../on-batch.ts'
import { retryPolicy } from '../retry.ts'
import { manualTime } from '../testing/manual-time.ts'
import type { WireMessage } from '../wire-message.ts'
import { openTelemetry } from './index.ts'

const Booked = defineEvent('rental.booked', { schema: z.object({ n: z.number() }) })
const Billed = defineEvent('rental.billed', { schema: z.object({ n: z.number() }) })
const Quote = defineRequest('pricing.quote', {
  schema: z.object({ n: z.number() }),
  reply: z.object({ cents: z.number() }),
})

beforeAll(() => void context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable()))
afterAll(() => context.disable())

function recorded() {
  const spans = new InMemorySpanExporter()
  const tracers = new TracerProvider({ spanProcessors: [new SimpleSpanProcessor({ exporter: spans })] })
  const exporter = new InMemoryMetricExporter(AggregationTemporality.CUMULATIVE)
  const reader = new PeriodicExportingMetricReader({ exporter, exportIntervalMillis: 3_600_000 })
  const meters = new MeterProvider({ readers: [reader] })
  const tracer: Tracer = tracers.getTracer('test')
  const telemetry = openTelemetry({ tracer, meter: meters.getMeter('test') })
  return {
    tracer,
    telemetry,
    named: (name: string): ReadableSpan[] => spans.getFinishedSpans().filter((span) => span.name === name),
    all: () => spans.getFinishedSpans(),
    /** Each point of a metric: its attributes, and its sum or count. */
    async points(name: string) {
      await reader.forceFlush()
      const last = exporter.getMetrics().at(-1)
      const found = last?.scopeMetrics
        .flatMap(({ metrics }) => metrics)
        .find(({ descriptor }) => descriptor.name === name)
      return (found?.dataPoints ?? []).map(({ attributes, value }) => ({
        ...attributes,
        value: typeof value === 'number' ? value : (value as { count: number }).count,
      }))
    },
  }
}

function busOf(at: ReturnType<typeof recorded>, options: Partial<BusOptions> = {}) {
  return createBus({
    transport: memory(),
    source: '/test',
    telemetry: at.telemetry,
    retry: retryPolicy({ inProcess: { tries: 2, firstMs: 1 }, roundsMs: [] }),
    ...options,
  })
}

describe('a trace', () => {
  it('goes from publish to handler, and on through what the handler publishes', async () => {
    const at = recorded()
    await using bus = busOf(at)
    await bus.subscribe('billing', [on(Booked, ({ n }) => bus.publish(Billed, { n }).then(() => undefined))])
    await bus.subscribe('mail', [on(Billed, () => {})])
    await bus.publish(Booked, { n: 1 }, { correlationId: 'c-1' })
    await vi.waitFor(() => expect(at.all()).toHaveLength(4))

    const [booked, billing] = [at.named('publish rental.booked')[0]!, at.named('process rental.booked')[0]!]
    const [billed, mail] = [at.named('publish rental.billed')[0]!, at.named('process rental.billed')[0]!]
    expect(new Set(at.all().map((span) => span.spanContext().traceId)).size).toBe(1)
    expect(booked.parentSpanContext).toBeUndefined()
    for (const [parent, child] of [
      [booked, billing],
      [billing, billed],
      [billed, mail],
    ] as const) {
      expect(child.parentSpanContext?.spanId).toBe(parent.spanContext().spanId)
    }
    expect(billing.links.map(({ context }) => context.spanId)).toEqual([booked.spanContext().spanId])
    expect([booked.kind, billing.kind]).toEqual([SpanKind.PRODUCER, SpanKind.CONSUMER])
    expect(booked.attributes).toMatchObject({
      'messaging.system': 'memory',
      'messaging.operation.name': 'publish',
      'messaging.operation.type': 'send',
      'messaging.destination.name': 'rental.booked',
      'messaging.message.conversation_id': 'c-1',
      'waybill.message.type': 'rental.booked',
    })
    expect(billing.attributes).toMatchObject({
      'messaging.operation.type': 'process',
      'messaging.consumer.group.name': 'billing',
      'messaging.message.id': booked.attributes['messaging.message.id'],
      'waybill.outcome': 'ack',
    })
  })

  it('is the child of what is active where a message is published, and of nothing where it is delivered', async () => {
    const at = recorded()
    await using bus = busOf(at)
    // the memory transport delivers within the publisher's own asynchronous context
    await bus.subscribe('billing', [on(Booked, () => {})])
    await at.tracer.startActiveSpan('checkout', async (span) => {
      await bus.publish(Booked, { n: 1 })
      span.end()
    })
    await vi.waitFor(() => expect(at.named('process rental.booked')).toHaveLength(1))
    const checkout = at.named('checkout')[0]!.spanContext()
    expect(at.named('publish rental.booked')[0]!.parentSpanContext?.spanId).toBe(checkout.spanId)
    expect(at.named('process rental.booked')[0]!.parentSpanContext?.spanId).not.toBe(checkout.spanId)
  })

  it('begins anew after a malformed traceparent, which goes no further', async () => {
    const at = recorded()
    const seen: WireMessage[] = []
    const transport = memory()
    const publish = transport.publish.bind(transport)
    transport.publish = (messages, options) => (seen.push(...messages), publish(messages, options))
    await using bus = busOf(at, { transport })
    await bus.subscribe('billing', [on(Booked, () => {})])
    const traceparent = `00-${'A'.repeat(32)}-${'b'.repeat(16)}-01`
    await bus.publish(Booked, { n: 1 }, { headers: { traceparent, tracestate: 'x=1', mine: 'kept' } })
    await vi.waitFor(() => expect(at.named('process rental.booked')).toHaveLength(1))
    const { traceId, spanId } = at.named('publish rental.booked')[0]!.spanContext()
    expect({ ...seen[0]!.headers }).toEqual({ mine: 'kept', traceparent: `00-${traceId}-${spanId}-01` })

    const given = `00-${'a'.repeat(32)}-${'b'.repeat(16)}-01`
    await bus.publish(Booked, { n: 2 }, { headers: { traceparent: given } })
    await vi.waitFor(() => expect(at.named('process rental.booked')).toHaveLength(2))
    // a context of the sender's own stays: the span beside it is no producer any more
    expect(seen[1]!.headers.traceparent).toBe(given)
    expect(at.named('publish rental.booked')[1]!.kind).toBe(SpanKind.CLIENT)
    expect(at.named('process rental.booked')[1]!.spanContext().traceId).toBe('a'.repeat(32))
  })

  it('holds request, responder and reply; each failure by its code, never by its text', async () => {
    const at = recorded()
    await using bus = busOf(at)
    await bus.subscribe('pricing', [
      respond(Quote, ({ n }) => {
        if (n === 0) throw new UnrecoverableError('card 4242 is secret')
        return { cents: n }
      }),
    ])
    expect(await bus.request(Quote, { n: 7 }, { timeoutMs: 5_000 })).toEqual({ cents: 7 })
    await vi.waitFor(() => expect(at.named('process pricing.quote')).toHaveLength(1))
    expect(new Set(at.all().map((span) => span.spanContext().traceId)).size).toBe(1)
    const [asked] = at.named('request pricing.quote')
    expect(at.named('send pricing.quote')[0]!.parentSpanContext?.spanId).toBe(asked!.spanContext().spanId)
    expect(at.named('reply (reply)')[0]!.parentSpanContext?.spanId).toBe(
      at.named('process pricing.quote')[0]!.spanContext().spanId,
    )
    expect(at.named('process (reply)')[0]!.parentSpanContext?.spanId).toBe(
      at.named('reply (reply)')[0]!.spanContext().spanId,
    )
    await expect(bus.request(Quote, { n: 0 }, { timeoutMs: 5_000 })).rejects.toMatchObject({ code: 'REMOTE' })
    await vi.waitFor(() => expect(at.named('process pricing.quote')).toHaveLength(2))
    const refused = at.named('process pricing.quote')[1]!
    expect(refused.status).toEqual({ code: SpanStatusCode.ERROR })
    expect(refused.attributes).toMatchObject({ 'error.type': 'UNRECOVERABLE', 'waybill.outcome': 'ack' })
    const failed = at.named('request pricing.quote')[1]!
    expect(failed.status).toEqual({ code: SpanStatusCode.ERROR })
    expect(failed.attributes['error.type']).toBe('REMOTE')
    expect(JSON.stringify(at.all().map(({ attributes, events, status }) => [attributes, events, status]))).not.toMatch(
      /4242/,
    )
    // one name for all reply addresses
    expect(await at.points('messaging.client.operation.duration')).toContainEqual(
      expect.objectContaining({ 'messaging.destination.template': '(reply)', value: 2 }),
    )
  })
})

describe('a batch', () => {
  it('has one span, linked to each message, and what its handler sends is the child of it', async () => {
    const at = recorded()
    await using bus = busOf(at)
    await bus.subscribe('billing', [
      onBatch(Booked, (all) => bus.publish(Billed, { n: all.length }).then(() => undefined), {
        size: 3,
        waitMs: 60_000,
      }),
    ])
    for (const n of [1, 2, 3]) await bus.publish(Booked, { n })
    await vi.waitFor(() => expect(at.named('process rental.booked')).toHaveLength(3))
    const [batch, ...others] = at.named('process_batch rental.booked')
    expect(others).toEqual([])
    const sent = at.named('publish rental.booked').map((span) => span.spanContext().spanId)
    expect(batch!.links.map(({ context }) => context.spanId)).toEqual(sent)
    expect(batch!.parentSpanContext).toBeUndefined()
    expect(batch!.attributes).toMatchObject({
      'messaging.operation.type': 'process',
      'messaging.batch.message_count': 3,
      'messaging.consumer.group.name': 'billing',
    })
    const [billed] = at.named('publish rental.billed')
    expect(billed!.parentSpanContext?.spanId).toBe(batch!.spanContext().spanId)
    expect((await at.points('messaging.client.consumed.messages')).map(({ value }) => value)).toEqual([3])
  })

  it('that fails ends its span with the error', async () => {
    const at = recorded()
    await using bus = busOf(at)
    const fails = () => Promise.reject(Object.assign(new Error('no'), { code: 'ENOGOOD' }))
    await bus.subscribe('billing', [onBatch(Booked, fails, { size: 2, waitMs: 60_000 })])
    for (const n of [1, 2]) await bus.publish(Booked, { n })
    await vi.waitFor(() => expect(at.named('process rental.booked')).toHaveLength(2))
    const [batch] = at.named('process_batch rental.booked')
    expect(batch!.status.code).toBe(SpanStatusCode.ERROR)
    expect(batch!.attributes).toMatchObject({ 'error.type': 'ENOGOOD' })
  })
})

describe('metrics', () => {
  it('count a request as expired whose responder was stopped at its deadline', async () => {
    const at = recorded()
    const time = manualTime()
    await using bus = busOf(at, { transport: memory({ ports: time.ports }), ports: time.ports })
    await bus.subscribe('pricing', [
      respond(
        Quote,
        (_, { signal }) =>
          new Promise((_, reject) => {
            signal.addEventListener('abort', () => reject(signal.reason as Error))
          }),
      ),
    ])
    const asked = bus.request(Quote, { n: 1 }, { timeoutMs: 100 }).catch((error: Error) => error)
    await time.advance(100)
    expect(await asked).toMatchObject({ code: 'TIMEOUT' })
    expect(bus.stats.expired).toBe(1)
    expect(at.named('process pricing.quote')[0]!.attributes).toMatchObject({ 'waybill.outcome': 'expired' })
    expect(await at.points('waybill.expired')).toMatchObject([{ value: 1 }])
  })

  it('count what was sent, handled, tried again, given up on and expired', async () => {
    const at = recorded()
    const time = manualTime()
    await using bus = busOf(at, { transport: memory({ ports: time.ports }), ports: time.ports })
    const service = await bus.subscribe('billing', [
      on(Booked, ({ n }, { attempt }) => {
        if (n === 0) throw Object.assign(new Error('no'), { code: 'ENOGOOD' })
        if (n === 1 && attempt === 1) throw new TypeError('once')
      }),
    ])
    for (const n of [0, 1, 2]) await bus.publish(Booked, { n })
    await time.advance(1_000)
    service.pause()
    await bus.publish(Booked, { n: 3 }, { ttlMs: 10 })
    await time.advance(10)
    service.resume()
    await time.settle()
    const group = { 'messaging.consumer.group.name': 'billing', 'messaging.destination.name': 'rental.booked' }
    expect(await at.points('messaging.client.sent.messages')).toMatchObject([{ value: 4 }])
    expect(await at.points('messaging.client.consumed.messages')).toMatchObject(
      expect.arrayContaining([
        expect.objectContaining({ ...group, 'error.type': 'ENOGOOD', value: 1 }),
        expect.objectContaining({ ...group, value: 3 }),
      ]),
    )
    expect((await at.points('messaging.process.duration')).reduce((sum, { value }) => sum + value, 0)).toBe(4)
    expect(await at.points('waybill.retries')).toMatchObject([{ ...group, value: 2 }])
    expect(await at.points('waybill.dead_letters')).toMatchObject([{ ...group, value: 1 }])
    expect(await at.points('waybill.expired')).toMatchObject([{ ...group, value: 1 }])
    // ids belong to spans: a metric with them would grow with every message
    for (const metric of ['messaging.client.sent.messages', 'messaging.client.consumed.messages']) {
      for (const point of await at.points(metric)) expect(Object.keys(point)).not.toContain('messaging.message.id')
    }
  })

  it('keep the kinds of errors few, whatever codes handlers make up', async () => {
    const at = recorded()
    await using bus = busOf(at, { retry: retryPolicy({ inProcess: { tries: 1 }, roundsMs: [] }) })
    await bus.subscribe('billing', [
      on(Booked, ({ n }) => {
        throw Object.assign(new Error('no'), { code: `E_${n}` })
      }),
    ])
    for (let n = 0; n < 150; n++) await bus.publish(Booked, { n })
    await vi.waitFor(() => expect(at.named('process rental.booked')).toHaveLength(150))
    const points = await at.points('messaging.client.consumed.messages')
    expect(points).toHaveLength(101)
    expect(points.find((point) => 'error.type' in point && point['error.type'] === '_OTHER')?.value).toBe(50)
  })
})

it('records nothing without an SDK, and carries a trace on that came in', async () => {
  const seen: WireMessage[] = []
  const transport = memory()
  const publish = transport.publish.bind(transport)
  transport.publish = (messages, options) => (seen.push(...messages), publish(messages, options))
  await using bus = createBus({ transport, source: '/test', telemetry: openTelemetry() })
  await bus.publish(Booked, { n: 1 })
  expect(seen[0]!.headers).toEqual({})
  const remote = { traceId: 'a'.repeat(32), spanId: 'b'.repeat(16), traceFlags: 1 }
  await context.with(trace.setSpanContext(context.active(), remote), () => bus.publish(Booked, { n: 1 }))
  expect(seen[1]!.headers.traceparent).toBe(`00-${remote.traceId}-${remote.spanId}-01`)
})

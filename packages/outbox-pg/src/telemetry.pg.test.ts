import { context } from '@opentelemetry/api'
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks'
import {
  AggregationTemporality,
  InMemoryMetricExporter,
  MeterProvider,
  PeriodicExportingMetricReader,
} from '@opentelemetry/sdk-metrics'
import { InMemorySpanExporter, SimpleSpanProcessor, TracerProvider } from '@opentelemetry/sdk-trace'
import { createBus, defineEvent, on, PublishError, shared, type Publisher } from '@waybill/core'
import { memory } from '@waybill/core/memory'
import { openTelemetry } from '@waybill/core/opentelemetry'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { z } from 'zod'
import { createInbox } from './inbox/inbox.ts'
import { createOutbox } from './outbox/outbox.ts'
import { startRelay } from './relay/relay.ts'
import { testDatabase } from './test-database.ts'

const Booked = defineEvent('rental.booked', { schema: z.object({ n: z.number() }) })
const Billed = defineEvent('rental.billed', { schema: z.object({ n: z.number() }) })

beforeAll(() => void context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable()))
afterAll(() => context.disable())

function recorded() {
  const spans = new InMemorySpanExporter()
  const tracers = new TracerProvider({ spanProcessors: [new SimpleSpanProcessor({ exporter: spans })] })
  const exporter = new InMemoryMetricExporter(AggregationTemporality.CUMULATIVE)
  const reader = new PeriodicExportingMetricReader({ exporter, exportIntervalMillis: 3_600_000 })
  const meters = new MeterProvider({ readers: [reader] })
  const tracer = tracers.getTracer('test')
  return {
    tracer,
    telemetry: openTelemetry({ tracer, meter: meters.getMeter('test') }),
    all: () => spans.getFinishedSpans(),
    async values(name: string) {
      await reader.forceFlush()
      const found = exporter
        .getMetrics()
        .at(-1)
        ?.scopeMetrics.flatMap(({ metrics }) => metrics)
      const points = found?.find(({ descriptor }) => descriptor.name === name)?.dataPoints ?? []
      return points.map(({ value }) => value as number)
    },
  }
}

test('one trace goes through outbox, relay, handler, and the outbox of the handler', async () => {
  await using database = await testDatabase()
  const { pool, schema } = database
  const { tracer, telemetry, all, values } = recorded()
  const outbox = createOutbox({ db: pool, source: '/rentals', schema, telemetry })
  const inbox = createInbox({ db: pool, schema, telemetry })
  const carrier = memory()
  await using bus = createBus({ transport: carrier, source: '/billing', telemetry })
  await bus.subscribe('billing', [
    on(
      Booked,
      inbox.once(async ({ n }, { trx }) => void (await outbox.in(trx).publish(Billed, { n }))),
    ),
  ])
  await bus.subscribe('mail', [on(Billed, () => {})])
  await using relay = startRelay({ pool, outbox, transports: { memory: shared(carrier) }, telemetry })
  let messageId = ''
  await tracer.startActiveSpan('checkout', async (span) => {
    await outbox.transaction(async (trx) => {
      messageId = await outbox.in(trx).publish(Booked, { n: 1 })
    })
    span.end()
  })
  const order = [
    'checkout',
    'create rental.booked',
    'process rental.booked',
    'create rental.billed',
    'process rental.billed',
  ]
  await expect
    .poll(
      () =>
        all()
          .map(({ name }) => name)
          .toSorted(),
      { timeout: 5_000 },
    )
    .toEqual(order.toSorted())
  const spans = order.map((name) => all().find((span) => span.name === name)!)
  expect(new Set(spans.map((span) => span.spanContext().traceId)).size).toBe(1)
  expect((await relay.health()).every(({ state }) => state === 'up')).toBe(true)
  // each the child of the one before it: the relay put none in between
  for (let index = 1; index < spans.length; index++) {
    expect(spans[index]!.parentSpanContext?.spanId).toBe(spans[index - 1]!.spanContext().spanId)
  }
  expect(spans[1]!.attributes).toMatchObject({
    'messaging.operation.type': 'create',
    'messaging.message.id': messageId,
    'messaging.system': 'waybill_outbox',
  })

  // a copy that the inbox knows is counted
  const [row] = (await pool.query(`select headers from "${schema}".outbox order by id limit 1`)).rows
  expect(JSON.parse(row.headers).traceparent).toContain(spans[1]!.spanContext().spanId)
  await bus.publish(Booked, { n: 1 }, { id: messageId })
  await expect.poll(() => values('waybill.inbox.duplicates'), { timeout: 5_000 }).toEqual([1])
})

test('relays tell how many messages wait for their carrier, how long, and how many they parked', async () => {
  await using database = await testDatabase()
  const { pool, schema } = database
  const { telemetry, values } = recorded()
  const outbox = createOutbox({ db: pool, source: '/rentals', schema, telemetry })
  let answer: (n: number) => PublishError | undefined = () => new PublishError('away', { scope: 'transport' })
  const taken: number[] = []
  const publisher: Publisher = {
    publish: (messages) =>
      messages.map(async ({ body }) => {
        const { n } = JSON.parse(new TextDecoder().decode(body!)) as { n: number }
        const error = answer(n)
        if (error) throw error
        taken.push(n)
      }),
  }
  const options = { pool, schema, transports: { one: publisher }, telemetry, retryMs: [] }
  await using first = startRelay({ ...options, outbox })
  await outbox.transaction(async (_trx, messages) => {
    for (let n = 0; n < 5; n++) messages.publish(Booked, { n })
  })
  await expect.poll(() => values('waybill.outbox.pending'), { timeout: 5_000 }).toEqual([5])
  const [age] = await values('waybill.outbox.oldest_pending_age')
  expect(age).toBeGreaterThan(0)
  expect(age).toBeLessThan(30)
  // one more counts what is in its own half, and nothing a second time
  const other = recorded()
  await using _second = startRelay({ ...options, telemetry: other.telemetry })
  const pending = async () => {
    const counts = await Promise.all([values('waybill.outbox.pending'), other.values('waybill.outbox.pending')])
    return counts.flat().reduce((total, count) => total + count, 0)
  }
  const shares = async () => (await pool.query(`select from "${schema}".reader where leased_until > now()`)).rowCount
  await expect.poll(shares, { timeout: 10_000 }).toBe(2)
  await expect.poll(() => pending(), { timeout: 5_000 }).toBe(5)

  answer = (n) => (n === 3 ? new PublishError('never', { retryable: false }) : undefined)
  await expect.poll(() => taken.toSorted(), { timeout: 5_000 }).toEqual([0, 1, 2, 4])
  await expect.poll(() => pending(), { timeout: 5_000 }).toBe(0)
  expect([...(await values('waybill.dead_letters')), ...(await other.values('waybill.dead_letters'))]).toEqual([1])
  await first.stop()
})

import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { context, trace } from '@opentelemetry/api'
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks'
import { InMemorySpanExporter, SimpleSpanProcessor, TracerProvider } from '@opentelemetry/sdk-trace'
import { ConnectionError, on } from '@waybill/core'
import { memory } from '@waybill/core/memory'
import { createHarness } from '@waybill/core/testing'
import { expect, test, vi } from 'vitest'
import { RentalBooked } from './domain.ts'
import { healthEndpoint } from './health-endpoint.ts'
import { loggedBus } from './logged-bus.ts'
import { tellSlow } from './slow-deliveries.ts'
import { tracedBus } from './traced-bus.ts'

const rental = { rentalId: 'r-1', skiId: 's-42', days: 3 }

test('a bus with openTelemetry() speaks through the SDK that the process has registered', async () => {
  const spans = new InMemorySpanExporter()
  trace.setGlobalTracerProvider(new TracerProvider({ spanProcessors: [new SimpleSpanProcessor({ exporter: spans })] }))
  context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable())
  try {
    await using bus = tracedBus(memory())
    await bus.subscribe('billing', [on(RentalBooked, () => {})])
    await bus.publish(RentalBooked, rental)
    await vi.waitFor(() =>
      expect(
        spans
          .getFinishedSpans()
          .map(({ name }) => name)
          .toSorted(),
      ).toEqual(['process rental.booked', 'publish rental.booked']),
    )
  } finally {
    context.disable()
    trace.disable()
  }
})

test('a channel tells of slow deliveries', async () => {
  await using harness = createHarness()
  const told: string[] = []
  const end = tellSlow(1_000, (text) => told.push(text))
  await harness.bus.subscribe('billing', [on(RentalBooked, () => harness.clock.advance(2_500))])
  await harness.bus.publish(RentalBooked, rental)
  await harness.settled()
  end()
  await harness.bus.publish(RentalBooked, rental)
  await harness.settled()
  expect(told).toEqual(['billing took 2500 ms for "rental.booked": ack'])
})

test('pino gets a line for each delivery', async () => {
  const lines: string[] = []
  await using bus = loggedBus(memory(), { write: (line: string) => void lines.push(line) })
  await bus.subscribe('billing', [on(RentalBooked, () => {})])
  await bus.publish(RentalBooked, rental)
  await vi.waitFor(() => expect(lines.join('')).toContain('"delivery ended"'))
})

test('the endpoint answers 503 with the part that fails, and why', async () => {
  await using harness = createHarness()
  const server = healthEndpoint(harness.bus).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  try {
    expect((await fetch(url)).status).toBe(200)
    await harness.bus.subscribe('billing', [
      on(RentalBooked, () => {
        throw new ConnectionError('database not reached')
      }),
    ])
    await harness.bus.publish(RentalBooked, rental)
    await harness.clock.settle()
    const response = await fetch(url)
    expect(response.status).toBe(503)
    expect(await response.json()).toContainEqual({
      part: 'service billing',
      state: 'degraded',
      sinceMs: harness.clock.nowMs(),
      reason: expect.stringContaining('database not reached'),
    })
  } finally {
    server.close()
    server.closeAllConnections()
  }
})

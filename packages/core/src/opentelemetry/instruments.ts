import type { Attributes, Counter, Histogram, Meter } from '@opentelemetry/api'
import type { TelemetryCount, TelemetryFacts, TelemetryGauge } from '../telemetry.ts'
import { ATTRIBUTE, DURATION_BOUNDS_S, METRIC } from './names.ts'

export interface Instruments {
  readonly sent: Counter
  readonly consumed: Counter
  readonly operationDuration: Histogram
  readonly processDuration: Histogram
  readonly retries: Counter
  readonly deadLetters: Counter
  readonly expired: Counter
  count(name: TelemetryCount, facts: TelemetryFacts): void
  observe(name: TelemetryGauge, facts: TelemetryFacts, read: () => Promise<number | undefined>): () => void
}

/** All metrics, each made once; gauges only when somebody has something to read. */
export function createInstruments(meter: Meter): Instruments {
  const counter = (name: string, description: string) => meter.createCounter(name, { unit: '{message}', description })
  const duration = (name: string, description: string) =>
    meter.createHistogram(name, { unit: 's', description, advice: { explicitBucketBoundaries: DURATION_BOUNDS_S } })
  const deadLetters = counter(METRIC.deadLetters, 'Messages given up on')
  const counts: Readonly<Record<TelemetryCount, Counter>> = {
    lateReplies: counter(METRIC.lateReplies, 'Replies that nobody waits for: too late, duplicates, forged'),
    inboxDuplicates: counter(METRIC.inboxDuplicates, 'Deliveries of what the inbox has handled before'),
    outboxDeadLetters: deadLetters,
  }
  const gauges: Readonly<Record<TelemetryGauge, readonly [string, string, string]>> = {
    outboxPending: [METRIC.outboxPending, '{message}', 'Messages in the outbox that its reader has not passed'],
    outboxOldestPendingAge: [METRIC.outboxOldestPendingAge, 's', 'Age of the oldest of them'],
  }

  return {
    sent: counter(METRIC.sent, 'Messages handed over to the carrier, or tried to'),
    consumed: counter(METRIC.consumed, 'Messages delivered to handlers'),
    operationDuration: duration(
      METRIC.operationDuration,
      'Time until the carrier had a message, or a request its answer',
    ),
    processDuration: duration(METRIC.processDuration, 'Time that handling a delivery took, retries included'),
    retries: counter(METRIC.retries, 'Tries that failed and are made again'),
    deadLetters,
    expired: counter(METRIC.expired, 'Messages past their time when their turn came'),
    count: (name, facts) => counts[name].add(1, attributesOf(facts)),
    observe(name, facts, read) {
      const [metric, unit, description] = gauges[name]
      const gauge = meter.createObservableGauge(metric, { unit, description })
      const look: Parameters<typeof gauge.addCallback>[0] = async (result) => {
        const value = await read().catch(() => undefined)
        if (value !== undefined) result.observe(value, attributesOf(facts))
      }
      gauge.addCallback(look)
      return () => gauge.removeCallback(look)
    },
  }
}

function attributesOf({ service, transport }: TelemetryFacts): Attributes {
  return {
    ...(service !== undefined && { [ATTRIBUTE.consumerGroup]: service }),
    ...(transport !== undefined && { [ATTRIBUTE.transport]: transport }),
  }
}

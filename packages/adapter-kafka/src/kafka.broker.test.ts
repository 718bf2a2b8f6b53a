import { adapterSuite } from '@waybill/core/testing'
import { describe, it } from 'vitest'
import { kafka } from './index.ts'

adapterSuite({
  name: 'kafka',
  create: () => kafka({ brokers: process.env.KAFKA_BROKERS!.split(','), heartbeatMs: 300, partitions: 3 }),
  // joining a group takes longer than the work of most cases
  concurrent: 6,
  // the transport alone; the other cases need a bus
  runner: { describe, it },
})

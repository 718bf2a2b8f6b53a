import { adapterSuite } from '@waybill/core/testing'
import { describe, it } from 'vitest'
import { kafka } from './index.ts'

adapterSuite({
  name: 'kafka',
  create: () => kafka({ brokers: process.env.KAFKA_BROKERS!.split(','), heartbeatMs: 300, partitions: 3 }),
  // joining a group takes longer than the work of most cases
  concurrent: 6,
  // the transport alone; the other cases need a bus
  only: ['1', '2', '3', '4', '5', '6', '7', '8', '11', '13r', '15', '17', '18', '20', '21', '62', '63'],
  runner: { describe, it },
})

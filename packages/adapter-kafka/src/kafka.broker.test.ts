import { inspect } from 'node:util'
import { adapterSuite } from '@waybill/core/testing'
import type { Logger } from '@waybill/core'
import { describe, it } from 'vitest'
import { kafka } from './index.ts'

const logLines: string[] = []
const log = (fields: object, text?: string) => void logLines.push(inspect(fields), text ?? '')
const logger: Logger = { debug: log, info: log, warn: log, error: log }

adapterSuite({
  name: 'kafka',
  create: () => kafka({ brokers: process.env.KAFKA_BROKERS!.split(','), logger, heartbeatMs: 300, partitions: 3 }),
  // joining a group takes longer than the work of most cases
  concurrent: 6,
  hooks: {
    misconfigured: () => [
      {
        what: 'a port where nobody listens',
        names: 'check brokers',
        create: () => kafka({ brokers: ['127.0.0.1:1'], connectTimeoutMs: 3_000, logger }),
      },
    ],
  },
  logLines,
  runner: { describe, it },
})

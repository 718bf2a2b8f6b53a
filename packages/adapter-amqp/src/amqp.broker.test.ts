import { adapterSuite } from '@waybill/core/testing'
import { describe, it } from 'vitest'
import { amqp } from './index.ts'

const url = process.env.AMQP_URL!

adapterSuite({ name: 'amqp', create: () => amqp({ url }), runner: { describe, it } })

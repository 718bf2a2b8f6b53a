import { adapterSuite } from '@waybill/core/testing'
import { afterAll, describe, it } from 'vitest'
import { postgresRig } from '../../../../dev/faults/postgres.ts'
import { PATIENCE } from '../../../../dev/faults/rig.ts'

// the quick ones that a release stands on; `npm run faults` runs them all
const rig = await postgresRig()
afterAll(() => rig[Symbol.asyncDispose]())

adapterSuite({ ...rig.suite, ...PATIENCE, only: ['47', '48', '50', '51'], volume: 1_000, runner: { describe, it } })

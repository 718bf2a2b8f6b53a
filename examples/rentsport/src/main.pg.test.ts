import { test } from 'vitest'
import { runRentSport } from './test-rentsport.ts'
import {
  everythingHandledOnce,
  killInTheMiddleOfTen,
  quoteAnswered,
  statusesLive,
  stopsCleanly,
} from './test-scenario.ts'

/** A rental of a day is over in less than a second. */
const CLOCK_SPEED = '100000'

test('without brokers: live statuses, a killed backend, each payment final once, a clean stop', async () => {
  await using system = await runRentSport({ CLOCK_SPEED })
  await quoteAnswered(system)
  await statusesLive(system)
  await everythingHandledOnce(system, await killInTheMiddleOfTen(system))
  await stopsCleanly(system)
}, 120_000)

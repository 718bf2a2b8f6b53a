import { test } from 'vitest'
import { freePort } from './supervisor/ports.ts'
import { runRentSport } from './test-rentsport.ts'
import {
  availabilityGathered,
  everythingHandledOnce,
  killInTheMiddleOfTen,
  paysFromOutside,
  processesOfTheirOwn,
  quoteAnswered,
  reportAgrees,
  statusesLive,
  stopsCleanly,
} from './test-scenario.ts'

/** A rental of a day is over in less than a second. */
const CLOCK_SPEED = '100000'

test('without brokers: processes of their own, killed in the middle of payments; each effect once; a clean stop', async () => {
  const grpcPort = await freePort()
  await using system = await runRentSport({ CLOCK_SPEED, GRPC_PORT: String(grpcPort) })
  await processesOfTheirOwn(system)
  await quoteAnswered(system)
  await availabilityGathered(system)
  await paysFromOutside(system, `127.0.0.1:${grpcPort}`)
  await statusesLive(system)
  await killInTheMiddleOfTen(system)
  await everythingHandledOnce(system)
  await reportAgrees(system)
  await stopsCleanly(system)
}, 120_000)

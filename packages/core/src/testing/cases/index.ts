import type { SuiteCase } from '../suite-case.ts'
import { acknowledgement, lateSettlement } from './acknowledgement.ts'
import { basic, publishFirst } from './basic.ts'
import { bodyRoundTrip, headerRoundTrip, nullBody, untouched } from './content.ts'
import { isolation } from './isolation.ts'
import { orderSingle } from './order.ts'
import { redelivery, release, requeueStorm } from './redelivery.ts'
import { broadcast, replay, services } from './services.ts'
import { nobodyListens, orderedRelease } from './together.ts'
import { volume } from './volume.ts'

/** All cases in the order they run. */
export const cases: readonly SuiteCase[] = [
  ...[basic, publishFirst, volume, isolation, services, broadcast, replay, orderSingle],
  ...[acknowledgement, redelivery, release, requeueStorm, lateSettlement],
  ...[untouched, headerRoundTrip, bodyRoundTrip, nullBody, nobodyListens, orderedRelease],
]

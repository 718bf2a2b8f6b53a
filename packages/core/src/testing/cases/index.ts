import type { SuiteCase } from '../suite-case.ts'
import { acknowledgement, lateSettlement } from './acknowledgement.ts'
import { attempts } from './attempts.ts'
import { backpressure } from './backpressure.ts'
import { badConfig } from './bad-config.ts'
import { basic, publishFirst } from './basic.ts'
import { batch } from './batch.ts'
import { closingAtOnce, closingWhilePublishing, reopen, useAfterClose } from './closing.ts'
import { concurrency } from './concurrency.ts'
import { bodyRoundTrip, headerRoundTrip, nullBody, untouched } from './content.ts'
import { deadLetter, hopelessMessages } from './dead-letter.ts'
import { delayedRetry, scheduled } from './delayed-retry.ts'
import { expiry } from './expiry.ts'
import { fairness } from './fairness.ts'
import { badLines, blackhole } from './faults/bad-lines.ts'
import { killWhilePublishing, restartWhileConsuming, restartWhilePublishing } from './faults/broker-ends.ts'
import { consumerKilled } from './faults/consumer-killed.ts'
import { handover } from './faults/handover.ts'
import { channelsClosed, sourceDeleted } from './faults/lost-sessions.ts'
import { credentialsChange, reconnectStorm } from './faults/reconnects.ts'
import { soak } from './faults/soak.ts'
import { brokerBlocked, standingStill } from './faults/stalls.ts'
import { gathering } from './gathering.ts'
import { handlerFailures } from './handler-failures.ts'
import { headerRefusal } from './headers.ts'
import { health } from './health.ts'
import { identity } from './identity.ts'
import { isolation } from './isolation.ts'
import { orderPerKey, orderSingle, orderUnderFailure } from './order.ts'
import { parkedListing, parkingRefused } from './parked.ts'
import { pendingRequests } from './pending-requests.ts'
import { redelivery, release, requeueStorm } from './redelivery.ts'
import { manyRequests, requestReply, requestTimeout } from './requests.ts'
import { broadcast, replay, services } from './services.ts'
import { abort, drain } from './stopping.ts'
import { strayReplies } from './stray-replies.ts'
import { stress } from './stress.ts'
import { nobodyListens, orderedRelease, twoTypes } from './together.ts'
import { unroutable } from './unroutable.ts'
import { volume } from './volume.ts'

/** All cases in the order they run. */
export const cases: readonly SuiteCase[] = [
  ...[basic, publishFirst, volume, isolation, services, broadcast, replay],
  ...[orderSingle, orderPerKey, orderUnderFailure],
  ...[acknowledgement, handlerFailures, redelivery, release, requeueStorm, lateSettlement],
  ...[attempts, untouched, headerRoundTrip, headerRefusal, bodyRoundTrip, nullBody],
  ...[identity, batch, unroutable, concurrency],
  ...[reopen, closingAtOnce, closingWhilePublishing, useAfterClose],
  ...[abort, drain, stress, health, badConfig],
  ...[requestReply, manyRequests, requestTimeout, strayReplies, pendingRequests, gathering],
  ...[deadLetter, hopelessMessages, delayedRetry, scheduled, expiry, backpressure, fairness],
  ...[twoTypes, nobodyListens, orderedRelease, parkingRefused, parkedListing],
  ...[
    consumerKilled,
    restartWhilePublishing,
    killWhilePublishing,
    restartWhileConsuming,
    channelsClosed,
    sourceDeleted,
  ],
  ...[blackhole, badLines, brokerBlocked, standingStill, reconnectStorm, credentialsChange, handover, soak],
]

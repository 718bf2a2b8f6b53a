import type { Chance } from '../chance.ts'
import type { BrokerProfile } from './broker-context.ts'

/** A broker that does all by itself. */
export const ABLE: BrokerProfile = Object.freeze({
  partitions: 3,
  pausable: true,
  replyAddresses: true,
  capabilities: Object.freeze({
    confirm: 'disk',
    orderedPublish: true,
    unroutable: true,
    persistent: true,
    order: 'key',
    services: true,
    broadcast: true,
    attempts: 'exact',
    requeue: 'native',
    deadLetter: true,
    ackBefore: true,
    nullBody: true,
    binaryHeaders: true,
  }),
})

/** A broker that may lack what the core can do in its place. */
export function drawProfile(chance: Chance): BrokerProfile {
  const requeue = chance.pick(['native', 'copy', undefined] as const)
  return {
    partitions: chance.between(1, 3),
    pausable: chance.yes(0.8),
    replyAddresses: chance.yes(0.6),
    capabilities: {
      ...ABLE.capabilities,
      orderedPublish: chance.yes(0.5),
      attempts: chance.pick(['exact', 'flag', undefined] as const),
      requeue,
      maxHoldMs: requeue === undefined || chance.yes(0.3) ? chance.between(30_000, 90_000) : undefined,
      maxDelayMs: chance.yes(0.2) ? 2_000 : undefined,
      deadLetter: chance.yes(0.7),
    },
  }
}

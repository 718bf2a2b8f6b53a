import type { Subscription } from '../../transport.ts'
import { catchMutants, type Mutant } from './catch-mutants.ts'

const stoppedBy = (stop: (good: Subscription, options: { drainTimeoutMs?: number | undefined }) => Promise<void>) => ({
  subscription: (good: Subscription): Subscription => ({ ...good, stop: (options = {}) => stop(good, options) }),
})

/** What the memory transport keeps while its process lives, so that cases of what is given back can be run on it. */
const persistent: Mutant = {
  transport: ({ capabilities }) => ({ capabilities: { ...capabilities, persistent: true } }),
}

catchMutants(
  'stops and closes',
  {
    'opens one at a time, whatever is asked for': {
      caughtBy: '25',
      says: 'waited for 10 handlers to run at once',
      make: () => ({ options: (options) => ({ ...options, maxOpen: 1 }) }),
    },
    'acks on stop what it had read ahead': {
      caughtBy: '26',
      says: 'lost',
      make: () => {
        let stopped = 0
        return {
          ...stoppedBy((good, options) => {
            stopped += 1
            return good.stop(options)
          }),
          deliver: async (delivery, deliver) => {
            const before = stopped
            await new Promise((resolve) => setImmediate(resolve))
            return stopped > before ? { outcome: 'ack' } : await deliver(delivery)
          },
        }
      },
    },
    'never ends when it is closed twice': {
      caughtBy: '27',
      says: 'disposing a client twice',
      make: () => ({
        transport: (good) => {
          let closed = false
          return {
            [Symbol.asyncDispose]: async () => {
              if (closed) await new Promise(() => {})
              closed = true
              await good[Symbol.asyncDispose]()
            },
          }
        },
      }),
    },
    'waits for a blocked handler, whatever the time for it': {
      caughtBy: '27',
      says: 'stopping with a blocked handler: not settled',
      make: () => stoppedBy((good) => good.stop({ drainTimeoutMs: 2_000 })),
    },
    'publishes after it was closed': {
      caughtBy: '29',
      says: 'publish of a disposed client (one that worked) was fulfilled',
      make: () => ({
        transport: (good) => {
          let closed = false
          return {
            publish: (messages) => (closed ? messages.map(() => Promise.resolve()) : good.publish(messages)),
            [Symbol.asyncDispose]: () => {
              closed = true
              return good[Symbol.asyncDispose]()
            },
          }
        },
      }),
    },
    'says it is well after it was closed': {
      caughtBy: '29',
      says: 'says that all is up',
      make: () => ({ transport: () => ({ health: async () => [{ part: 'all', state: 'up', sinceMs: 0 }] }) }),
    },
    'aborts where it should recall': {
      caughtBy: '30',
      says: 'signal was aborted while stop still waits',
      make: () => ({ deliver: (delivery, deliver) => deliver({ ...delivery, signal: delivery.recalled }) }),
    },
    'says it has stopped before it has': {
      caughtBy: '30',
      says: 'stop was fulfilled while a handler still ran',
      make: () =>
        stoppedBy(async (good) => {
          void good.stop()
        }),
    },
    'recalls without waiting': {
      caughtBy: '31',
      says: 'deliveries settled when stop was fulfilled',
      make: () => ({ ...persistent, ...stoppedBy((good) => good.stop({ drainTimeoutMs: 0 })) }),
    },
    'does not abort when the time to drain is over': {
      caughtBy: '31',
      says: 'whose signal was not aborted by a short drain',
      make: () => ({
        ...persistent,
        deliver: (delivery, deliver) => deliver({ ...delivery, signal: new AbortController().signal }),
      }),
    },
    'keeps something of each client': {
      caughtBy: '32',
      says: 'starts and stops took the heap from',
      make: () => {
        const kept: string[][] = []
        return {
          transport: () => {
            kept.push(Array.from({ length: 5_000 }, (_, index) => `entry ${index}`))
            return {}
          },
        }
      },
    },
    'takes its time to stop': {
      caughtBy: '32',
      says: 'stop of an idle subscription: not settled within 1000 ms',
      make: () => stoppedBy(() => new Promise(() => {})),
    },
  },
  persistent,
)

import { afterEach, describe, expect, it, vi } from 'vitest'
import { BackOffs } from '../back-offs.ts'
import { Lanes } from '../lanes.ts'
import { Outgoing } from '../outgoing.ts'
import { Requests } from '../requests.ts'
import { Setbacks } from '../setbacks.ts'
import type { Delivery, Settlement, Transport } from '../transport.ts'
import { Valve } from '../valve.ts'
import { Work } from '../work.ts'
import { simulate } from './simulate.ts'
import type { SimulationOptions } from './simulation-options.ts'

const MOST_SEEDS = 400
const NEVER = new AbortController().signal

interface Mutant {
  readonly name: string
  readonly finds: RegExp
  /** Breaks a class of the core until the test is over. */
  readonly breakCore?: () => void
  /** Breaks what passes between broker and core. */
  readonly breakTransport?: SimulationOptions['breakTransport']
}

type Deliver = (delivery: Delivery) => Promise<Settlement>

/** A transport whose deliveries and settlements pass through `around`. */
const delivering =
  (around: (deliver: Deliver) => Deliver) =>
  (transport: Transport): Transport => ({
    ...transport,
    subscribe: (options, deliver) => transport.subscribe(options, around(deliver)),
  })

/** Each mistake is one that somebody could make in the core tomorrow. */
const mutants: readonly Mutant[] = [
  {
    name: 'acks before the handler is done',
    finds: /ack of .*: (nobody has|its handler)|lost/,
    breakTransport: delivering((deliver) => (delivery) => {
      void deliver(delivery)
      return Promise.resolve({ outcome: 'ack' })
    }),
  },
  {
    name: 'acks what its handler failed on',
    finds: /ack of .*: its handler has failed|lost/,
    breakTransport: delivering(
      (deliver) => (delivery) =>
        deliver(delivery).then((given) => (given.outcome === 'deadLetter' ? { outcome: 'ack' } : given)),
    ),
  },
  {
    name: 'ignores recalls and cut-offs',
    finds: /started after its (recall|signal)/,
    breakTransport: delivering((deliver) => (delivery) => deliver({ ...delivery, recalled: NEVER, signal: NEVER })),
  },
  {
    name: 'hands every delivery over twice',
    finds: /at once|settled|attempt|handled|ended/,
    breakTransport: delivering((deliver) => (delivery) => {
      void deliver(delivery)
      return deliver(delivery)
    }),
  },
  {
    name: 'forgets the key',
    finds: /two handlers of one key|after number/,
    breakTransport: delivering((deliver) => (delivery) => {
      const { orderingKey: _, ...message } = delivery.message
      return deliver({ ...delivery, message })
    }),
  },
  {
    name: 'requeues without notes',
    finds: /its notes give no reason/,
    breakCore: () => {
      vi.spyOn(Setbacks.prototype, 'requeue').mockImplementation((_, delayMs) => ({
        outcome: 'requeue',
        delayMs,
        notes: {},
      }))
    },
  },
  {
    name: 'sends keyed messages to a broker without order all at once',
    finds: /was handed over while one of its key/,
    breakTransport: (transport) => ({
      ...transport,
      capabilities: { ...transport.capabilities, orderedPublish: true },
    }),
  },
  {
    name: 'does not wait for the confirm',
    finds: /fulfilled without a confirm|rejection that nobody handled/,
    breakCore: () => {
      const { publish } = Outgoing.prototype
      vi.spyOn(Outgoing.prototype, 'publish').mockImplementation(function (this: Outgoing, ...given) {
        publish.apply(this, given).catch(() => {})
        return Promise.resolve('')
      })
    },
  },
  {
    name: 'drops a reply now and then',
    finds: /in quiet times and got TIMEOUT/,
    breakTransport: (transport) => {
      if (transport.openReplies === undefined) return transport
      let replies = 0
      const openReplies: Transport['openReplies'] = (onReply, onLost) =>
        transport.openReplies!((reply) => void (++replies % 2 === 1 && onReply(reply)), onLost)
      return { ...transport, openReplies }
    },
  },
  {
    name: 'keeps the promises of requests when it stops',
    finds: /stuck|never settled|stopped with \d+ timers/,
    breakCore: () => {
      vi.spyOn(Requests.prototype, 'close').mockResolvedValue(undefined)
    },
  },
  {
    name: 'never frees a lane',
    finds: /stuck|in quiet times and got TIMEOUT/,
    breakCore: () => {
      vi.spyOn(Lanes.prototype, 'finish').mockReturnValue(undefined)
    },
  },
  {
    name: 'gives nothing back that has not started',
    finds: /started after its recall|stuck|no settlement|started after/,
    breakCore: () => {
      vi.spyOn(Lanes.prototype, 'extract').mockReturnValue([])
    },
  },
  {
    name: 'does not end back-off when a delivery is taken back',
    finds: /no settlement|stuck|timers armed/,
    breakCore: () => {
      vi.spyOn(BackOffs.prototype, 'end').mockReturnValue(undefined)
    },
  },
  {
    name: 'does not resume',
    finds: /stuck|in quiet times and got TIMEOUT/,
    breakCore: () => {
      vi.spyOn(Valve.prototype, 'resume').mockReturnValue(undefined)
    },
  },
  {
    name: 'forgets a settlement',
    finds: /stuck|no settlement/,
    breakCore: () => {
      const { settle } = Work.prototype
      let settled = 0
      vi.spyOn(Work.prototype, 'settle').mockImplementation(function (this: Work, settlement) {
        if (++settled % 10 > 0) settle.call(this, settlement)
      })
    },
  },
  {
    name: 'shows every try the signal of the first',
    finds: /too late|stuck|its notes count/,
    breakCore: () => {
      vi.spyOn(Work.prototype, 'endTry').mockReturnValue(undefined)
    },
  },
]

afterEach(() => {
  vi.restoreAllMocks()
})

describe('the simulator finds a core that', () => {
  for (const { name, finds, breakCore, breakTransport } of mutants) {
    it(name, { timeout: 60_000 }, async () => {
      breakCore?.()
      let found: string | undefined
      for (let seed = 1; seed <= MOST_SEEDS && found === undefined; seed++) {
        found = (await simulate(seed, { breakTransport })).violations[0]
      }
      expect(found).toMatch(finds)
    })
  }
})

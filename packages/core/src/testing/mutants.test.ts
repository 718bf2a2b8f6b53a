import { describe, expect, it } from 'vitest'
import { memory } from '../memory/index.ts'
import type { Delivery, Settlement, Transport } from '../transport.ts'
import type { WireMessage } from '../wire-message.ts'
import type { Report } from './report.ts'
import { runCases } from './run-cases.ts'
import { separateClient } from './separate-client.ts'

type Deliver = (delivery: Delivery) => Promise<Settlement>

/** Ways to be a bad transport: what it does to a publish, or to a delivery. */
interface Mutant {
  readonly publish?: (messages: readonly WireMessage[], publish: Transport['publish']) => readonly Promise<void>[]
  readonly deliver?: (delivery: Delivery, deliver: Deliver) => Promise<Settlement>
  readonly onReply?: (reply: WireMessage, onReply: (reply: WireMessage) => void) => void
}

const changed = (change: (message: WireMessage) => WireMessage): Mutant => ({
  deliver: (delivery, deliver) => deliver({ ...delivery, message: change(delivery.message) }),
})

const headersBy = (message: WireMessage, rename: (name: string) => string | undefined): WireMessage => {
  const headers = Object.create(null) as Record<string, string | Uint8Array>
  for (const [name, value] of Object.entries(message.headers)) {
    const kept = rename(name)
    if (kept !== undefined) headers[kept] = value
  }
  return { ...message, headers }
}

/** A mutant may remember; each run makes its own. */
const mutants: Record<string, { readonly caughtBy: string; readonly says: string; readonly make: () => Mutant }> = {
  'drops one in a hundred and confirms it': {
    caughtBy: '3',
    says: '10 lost',
    make: () => {
      let count = 0
      return {
        publish: (messages, publish) =>
          messages.map((message) => (++count % 100 === 0 ? Promise.resolve() : publish([message])[0]!)),
      }
    },
  },
  'delivers one in a hundred twice': {
    caughtBy: '3',
    says: '10 duplicated',
    make: () => {
      let count = 0
      return {
        deliver: async (delivery, deliver) => {
          if (++count % 100 === 0) await deliver(delivery)
          return await deliver(delivery)
        },
      }
    },
  },
  'swaps two': {
    caughtBy: '8',
    says: 'reordered',
    make: () => ({
      publish: (messages, publish) => {
        const [first, second, ...rest] = messages
        if (first === undefined || second === undefined) return publish(messages)
        const [two, one, ...others] = publish([second, first, ...rest])
        return [one!, two!, ...others]
      },
    }),
  },
  'acks before the handler is done': {
    caughtBy: '11',
    says: 'deliveries while the first was open',
    make: () => ({
      deliver: (delivery, deliver) => {
        deliver(delivery).catch(() => {})
        return Promise.resolve({ outcome: 'ack' })
      },
    }),
  },
  'loses what a handler fails on': {
    caughtBy: '13r',
    says: 'waited for two messages to come again',
    make: () => ({ deliver: (delivery, deliver) => deliver(delivery).catch(() => ({ outcome: 'ack' })) }),
  },
  'acks what was requeued': {
    caughtBy: '13',
    says: 'waited for two requeued messages',
    make: () => ({
      deliver: async (delivery, deliver) => {
        const settlement = await deliver(delivery)
        return settlement.outcome === 'requeue' ? { outcome: 'ack' } : settlement
      },
    }),
  },
  'requeues without waiting': {
    caughtBy: '14',
    says: 'requeued for 150 ms, came again after',
    make: () => ({
      deliver: async (delivery, deliver) => {
        const settlement = await deliver(delivery)
        return settlement.outcome === 'requeue' ? { ...settlement, delayMs: 0 } : settlement
      },
    }),
  },
  'loses notes and attempts': {
    caughtBy: '13',
    says: 'the note of failures is undefined',
    make: () => ({
      deliver: (delivery, deliver) => {
        const message = headersBy(delivery.message, (name) => (name.startsWith('waybill-') ? undefined : name))
        return deliver({ ...delivery, message, attempt: 1 })
      },
    }),
  },
  'takes an empty body for none': {
    caughtBy: '20',
    says: '1 altered',
    make: () => changed((message) => ({ ...message, body: message.body?.byteLength === 0 ? null : message.body })),
  },
  'takes a tombstone for an empty body': {
    caughtBy: '21',
    says: '1 altered',
    make: () => changed((message) => ({ ...message, body: message.body ?? new Uint8Array() })),
  },
  'makes text of bytes': {
    caughtBy: '20',
    says: '3 altered',
    make: () =>
      changed((message) => ({ ...message, body: message.body && Buffer.from(Buffer.from(message.body).toString()) })),
  },
  'writes header names small': {
    caughtBy: '18',
    says: 'altered',
    make: () => changed((message) => headersBy(message, (name) => name.toLowerCase())),
  },
  'drops headers with an empty value': {
    caughtBy: '18',
    says: '1 altered',
    make: () => changed((message) => headersBy(message, (name) => (message.headers[name] === '' ? undefined : name))),
  },
  'shares one message between attempts': {
    caughtBy: '17',
    says: 'the message as it was delivered',
    make: () => {
      const first = new Map<string, WireMessage>()
      return changed((message) => {
        const kept = first.get(message.id) ?? message
        first.set(message.id, kept)
        return kept
      })
    },
  },
  'opens more than was asked for': {
    caughtBy: '11',
    says: 'deliveries while the first was open',
    make: () => ({}),
  },
  'gives replies to the wrong request': {
    caughtBy: '36',
    says: 'got the reply of another',
    make: () => {
      // swapped by twos at each address, so that every request gets an answer
      const held = new Map<unknown, WireMessage>()
      return {
        onReply: (reply, onReply) => {
          const first = held.get(onReply)
          if (first === undefined) return void held.set(onReply, reply)
          held.delete(onReply)
          onReply({ ...reply, correlationId: first.correlationId })
          onReply({ ...first, correlationId: reply.correlationId })
        },
      }
    },
  },
  'mixes up topics whose names differ by case': {
    caughtBy: '4',
    says: 'lost',
    make: () => ({
      publish: (messages, publish) =>
        publish(
          messages.map((message) => {
            const { destination } = message
            const lastA = destination.name.lastIndexOf('.A.')
            if (destination.kind !== 'topic' || lastA < 0) return message
            return { ...message, destination: { ...destination, name: destination.name.replace('.A.', '.a.') } }
          }),
        ),
    }),
  },
  'says a publish failed that did': {
    caughtBy: '62',
    says: 'nobody reads this topic',
    make: () => ({ publish: (messages) => messages.map(() => Promise.reject(new Error('nobody reads this topic'))) }),
  },
}

describe('the suite', () => {
  for (const [what, { caughtBy, says, make }] of Object.entries(mutants)) {
    it(`catches a transport that ${what}, in case ${caughtBy}`, async () => {
      const report = await run(what, [caughtBy], make(), what === 'opens more than was asked for')
      expect(report.results).toMatchObject([{ id: caughtBy, outcome: 'failed' }])
      expect(report.results[0]!.reason).toContain(says)
    })
  }

  it('finds nothing wrong, in the same cases, with the same transport unharmed', async () => {
    const report = await run('unharmed', [...new Set(Object.values(mutants).map(({ caughtBy }) => caughtBy))], {})
    expect(report.results.filter(({ outcome }) => outcome !== 'passed')).toEqual([])
  })
})

async function run(name: string, only: readonly string[], mutant: Mutant, widened = false): Promise<Report> {
  await using hub = memory()
  return await runCases({
    name,
    create: () => altered(separateClient(hub), mutant, widened),
    only,
    seed: 1,
    volume: 1_000,
    quietMs: 50,
    idleTimeoutMs: 500,
    caseTimeoutMs: 10_000,
  })
}

function altered(
  transport: Transport,
  { publish, deliver: through, onReply: turn }: Mutant,
  widened: boolean,
): Transport {
  const own = transport.publish.bind(transport)
  return {
    ...transport,
    publish: publish === undefined ? own : (messages) => publish(messages, own),
    subscribe: (options, deliver) =>
      transport.subscribe(
        widened ? { ...options, maxOpen: options.maxOpen + 10 } : options,
        through === undefined ? deliver : (delivery) => through(delivery, deliver),
      ),
    ...(transport.openReplies !== undefined && {
      openReplies: (onReply, onLost) =>
        transport.openReplies!(turn === undefined ? onReply : (reply) => turn(reply, onReply), onLost),
    }),
  }
}

import { catchMutants, headersBy } from './catch-mutants.ts'

catchMutants('settling', {
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
  'opens more than was asked for': {
    caughtBy: '11',
    says: 'deliveries while the first was open',
    make: () => ({ options: (options) => ({ ...options, maxOpen: options.maxOpen + 10 }) }),
  },
  'always says the first attempt': {
    caughtBy: '16',
    says: 'attempts of a message that was requeued each time: 1, 1, 1, 1',
    make: () => ({ deliver: (delivery, deliver) => deliver({ ...delivery, attempt: 1 }) }),
  },
})

import { catchMutants } from './catch-mutants.ts'

catchMutants('publishing', {
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
  'fails a whole call for one message': {
    caughtBy: '23',
    says: 'where the one at',
    make: () => ({
      publish: (messages, publish) => {
        const all = Promise.all(publish(messages)).then(() => {})
        return messages.map(() => all)
      },
    }),
  },
  'says of the wrong message that it failed': {
    caughtBy: '23',
    says: 'where the one at',
    make: () => ({
      publish: (messages, publish) => {
        const [first, ...others] = publish(messages)
        return first === undefined ? [] : [...others, first]
      },
    }),
  },
  'confirms what nobody takes': {
    caughtBy: '24',
    says: 'code of a publish to a queue that nobody reads',
    make: () => ({ publish: (messages, publish) => publish(messages).map((promise) => promise.catch(() => {})) }),
  },
  'never tries again what nobody took': {
    caughtBy: '24',
    says: 'as before',
    make: () => {
      const refused = new Set<string>()
      return {
        publish: (messages, publish) =>
          messages.map((message) => {
            const { name } = message.destination
            if (refused.has(name)) return Promise.reject(new Error('as before'))
            return publish([message])[0]!.catch((error: unknown) => {
              refused.add(name)
              throw error
            })
          }),
      }
    },
  },
  'leaves publishes pending when it is closed': {
    caughtBy: '28',
    says: 'each publish to be settled',
    make: () => {
      let count = 0
      return {
        publish: (messages, publish) =>
          messages.map((message) => (++count > 1_500 ? new Promise<void>(() => {}) : publish([message])[0]!)),
      }
    },
  },
  'confirms when it is closed what it never sent': {
    caughtBy: '28',
    says: '500 lost',
    make: () => {
      let count = 0
      return {
        publish: (messages, publish) =>
          messages.map((message) => (++count > 1_500 ? Promise.resolve() : publish([message])[0]!)),
      }
    },
  },
  'ignores the signal of a publish': {
    caughtBy: '30',
    says: 'what a publish with an aborted signal rejects with',
    make: () => ({ publish: (messages, publish) => publish(messages) }),
  },
  'says a publish was aborted, and not why': {
    caughtBy: '30',
    says: 'what a publish with an aborted signal rejects with',
    make: () => ({
      transport: (good) => ({
        publish: (messages, options) =>
          good.publish(messages, options).map((promise) => promise.catch(() => Promise.reject(new Error('aborted')))),
      }),
    }),
  },
})

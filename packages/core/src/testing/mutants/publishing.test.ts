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
})

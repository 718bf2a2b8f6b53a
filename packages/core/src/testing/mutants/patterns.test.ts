import type { Parked, ParkedMessage } from '../../parked.ts'
import type { Settlement } from '../../transport.ts'
import { catchMutants, changed, headersBy, type Mutant } from './catch-mutants.ts'

/** Changes how deliveries that were settled so end. */
const settling = <O extends Settlement['outcome']>(
  outcome: O,
  change: (settlement: Extract<Settlement, { readonly outcome: O }>) => Settlement,
): Mutant => ({
  deliver: async (delivery, deliver) => {
    const settlement = await deliver(delivery)
    return settlement.outcome === outcome ? change(settlement as never) : settlement
  },
})

/** Changes what each look at the dead letters shows. */
const listing = (change: (letters: readonly ParkedMessage[]) => readonly ParkedMessage[]): Mutant => ({
  transport: ({ parked }) => ({
    parked: {
      async *list(...args: Parameters<Parked['list']>) {
        const letters: ParkedMessage[] = []
        for await (const letter of parked!.list(...args)) letters.push(letter)
        yield* change(letters)
      },
      replay: (handles) => parked!.replay(handles),
      discard: (handles, reason) => parked!.discard(handles, reason),
    },
  }),
})

catchMutants(
  'patterns',
  {
    'keeps no reason with a dead letter': {
      caughtBy: '41',
      says: 'the reason: kind and text of the last error',
      make: () =>
        settling('deadLetter', ({ outcome, notes }) => {
          const { 'waybill-reason': _, ...rest } = notes
          return { outcome, notes: rest }
        }),
    },
    'tries for ever': {
      caughtBy: '41',
      says: 'for the dead letter',
      make: () => settling('deadLetter', ({ notes }) => ({ outcome: 'requeue', delayMs: 20, notes })),
    },
    'loses the headers of a dead letter': {
      caughtBy: '41',
      says: 'the content of the dead letter',
      make: () =>
        listing((letters) =>
          letters.map((letter) => ({
            ...letter,
            message: headersBy(letter.message, (name) => (name.startsWith('waybill-') ? name : undefined)),
          })),
        ),
    },
    'forgets when a dead letter failed': {
      caughtBy: '41',
      says: 'times of the dead letter',
      make: () =>
        listing((letters) =>
          letters.map((letter) => ({
            ...letter,
            message: headersBy(letter.message, (name) => (name.includes('failed-at') ? undefined : name)),
          })),
        ),
    },
    'counts attempts that were none': {
      caughtBy: '41',
      says: 'attempts of the dead letter',
      make: () => ({ deliver: (delivery, deliver) => deliver({ ...delivery, attempt: delivery.attempt + 3 }) }),
    },
    'brings a dead letter once more': {
      caughtBy: '42',
      says: 'calls of the handler',
      make: () => {
        const dead = new Set<string>()
        return {
          deliver: async (delivery, deliver) => {
            const settlement = await deliver(delivery)
            const { id } = delivery.message
            if (settlement.outcome !== 'deadLetter' || dead.has(id)) return settlement
            dead.add(id)
            return { outcome: 'release' }
          },
        }
      },
    },
    'ignores the delay': {
      caughtBy: '43',
      says: 'requeued for 400 ms, came again after',
      make: () => settling('requeue', ({ notes }) => ({ outcome: 'requeue', delayMs: 100, notes })),
    },
    'delivers at once what is for later': {
      caughtBy: '43s',
      says: 'what was due in 1500 ms came after',
      make: () => ({
        publish: (messages, publish) => publish(messages.map(({ deliverAtMs: _, ...message }) => message)),
      }),
    },
    'forgets until when a message counts': {
      caughtBy: '44',
      says: 'what was handled',
      make: () => changed(({ expiresAtMs: _, ...message }) => message),
    },
    'ignores how much may be open': {
      caughtBy: '45',
      says: 'deliveries open, maxOpen is 50',
      make: () => ({ options: (options) => ({ ...options, maxOpen: options.maxOpen + 10 }) }),
    },
    'starves cold keys': {
      caughtBy: '46',
      says: 'waited for the cold keys to be handled',
      make: () => {
        let before: Promise<unknown> = Promise.resolve()
        return {
          deliver: (delivery, deliver) => {
            const settled = before.then(() => deliver(delivery))
            before = settled
            return settled
          },
        }
      },
    },
    'brings again what waits to be parked': {
      caughtBy: '64',
      says: 'calls of the handler while its message could not be parked',
      make: () => ({
        deliver: async (delivery, deliver) => {
          const [settlement] = await Promise.all([deliver(delivery), deliver(delivery)])
          return settlement
        },
      }),
    },
    'counts a look at a dead letter as an attempt': {
      caughtBy: '65',
      says: 'what a look of round 0 showed',
      make: () => {
        let looks = 0
        return listing((letters) => {
          looks += 1
          return letters.map((letter) => ({ ...letter, attempts: letter.attempts + looks }))
        })
      },
    },
    'moves dead letters by looking at them': {
      caughtBy: '65',
      says: 'what a look of round 0 showed',
      make: () => {
        let turned = false
        return listing((letters) => {
          turned = !turned
          return turned ? letters : letters.toReversed()
        })
      },
    },
  },
  { idleTimeoutMs: 5_000 },
)

import type { WireMessage } from '../../wire-message.ts'
import { catchMutants, changed, headersBy } from './catch-mutants.ts'

catchMutants('content', {
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
})

import type { WireMessage } from '../../wire-message.ts'
import { PublishError } from '../../errors.ts'
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
  'takes a body over its limit': {
    caughtBy: '20',
    says: 'publish of a body over maxBodyBytes',
    make: () => ({ transport: ({ capabilities }) => ({ capabilities: { ...capabilities, maxBodyBytes: 2_048 } }) }),
  },
  'takes headers over its limit': {
    caughtBy: '19',
    says: 'a message with headers over maxHeaderBytes',
    make: () => ({ transport: ({ capabilities }) => ({ capabilities: { ...capabilities, maxHeaderBytes: 1_000 } }) }),
  },
  'takes a header for an attribute': {
    caughtBy: '19',
    says: '1 altered',
    make: () => changed((message) => headersBy(message, (name) => (name === 'ce_id' ? undefined : name))),
  },
  'calls a bad header a broken connection': {
    caughtBy: '19',
    says: 'the fault of a message with the header',
    make: () => ({
      publish: (messages, publish) =>
        messages.map((message) => {
          const bad = Object.keys(message.headers).some((name) => name.includes('\n'))
          return bad
            ? Promise.reject(new PublishError('connection lost', { scope: 'transport' }))
            : publish([message])[0]!
        }),
    }),
  },
  'loses the correlation id': {
    caughtBy: '22',
    says: 'what the message is known by',
    make: () => changed(({ correlationId: _, ...message }) => message),
  },
  'cuts the trace': {
    caughtBy: '22',
    says: 'what the message is known by',
    make: () => changed((message) => headersBy(message, (name) => (name === 'traceparent' ? undefined : name))),
  },
  'knows whole seconds only': {
    caughtBy: '22',
    says: 'what the message is known by',
    make: () =>
      changed((message) => {
        const time = message.attributes.time?.replace(/\.\d+Z$/, '.000Z') ?? ''
        return { ...message, attributes: { ...message.attributes, time } }
      }),
  },
  'cuts ids at 255 characters': {
    caughtBy: '22',
    says: 'waited for each confirmed message',
    make: () => changed((message) => ({ ...message, id: message.id.slice(0, 255) })),
  },
})

import type { WireMessage } from '../../wire-message.ts'
import { catchMutants } from './catch-mutants.ts'

catchMutants('requests', {
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
  'hands on answers without the name of their service': {
    caughtBy: '40',
    says: 'who answered when all are named',
    make: () => ({
      onReply: (reply, onReply) => {
        const { service: _service, ...attributes } = reply.attributes
        onReply({ ...reply, attributes })
      },
    }),
  },
  'hands on each answer twice, the second in another name': {
    caughtBy: '40',
    says: 'branch-0-again for',
    make: () => ({
      onReply: (reply, onReply) => {
        onReply(reply)
        onReply({ ...reply, attributes: { ...reply.attributes, service: `${reply.attributes.service}-again` } })
      },
    }),
  },
  'takes a topic for a queue, so that one service of many is asked': {
    caughtBy: '40',
    says: 'who answered when all are named',
    make: () => ({
      publish: (messages, publish) =>
        publish(
          messages.map((message) =>
            message.destination.kind === 'topic' && message.replyTo !== undefined
              ? { ...message, destination: { ...message.destination, kind: 'queue' as const } }
              : message,
          ),
        ),
    }),
  },
})

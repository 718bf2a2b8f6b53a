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
})

import { samples } from '../sample.ts'
import type { SuiteCase } from '../suite-case.ts'

const LOOPS_PER_CLIENT = 10
const PER_CALL = 10

export const volume: SuiteCase = {
  id: '3',
  title: 'fifty publishers and ten instances of one service: each message to one instance',
  async run(context) {
    const destination = context.topic()
    const service = context.name('many')
    const first = await context.client()
    const others = first.capabilities.services ? await context.clients(9) : []
    await context.declare(first, [destination], [service])
    await Promise.all([first, ...others].map((transport) => context.read({ transport, service, from: [destination] })))

    const senders = await context.clients(5)
    const perLoop = Math.ceil(context.options.volume / (senders.length * LOOPS_PER_CLIENT))
    const loops = senders.flatMap((sender) =>
      Array.from({ length: LOOPS_PER_CLIENT }, async () => {
        const messages = samples(destination, perLoop)
        for (let from = 0; from < messages.length; from += PER_CALL) {
          await context.publish(sender, messages.slice(from, from + PER_CALL), [service])
        }
      }),
    )
    await Promise.all(loops)
    await context.finish()
  },
}

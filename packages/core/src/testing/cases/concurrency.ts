import { equal, ok } from 'node:assert/strict'
import { defineEvent } from '../../definition.ts'
import { on } from '../../handler.ts'
import { anything } from '../anything.ts'
import type { SuiteCase } from '../suite-case.ts'

const LIMIT = 10
const LOWERED = 2

export const concurrency: SuiteCase = {
  id: '25',
  title: 'as many handlers run as the limit says, also after it was changed',
  async run(context) {
    const [bus, sender] = await context.buses(2)
    const destination = context.queue()
    const event = defineEvent(context.name('worked'), { schema: anything<{ number: number }>(), destination })
    const name = context.name('works')
    const full = context.gate()
    let running = 0
    let most = 0
    let lowered = false
    let mostLowered = 0
    const service = await bus!.subscribe(
      name,
      [
        on(event, async (_, { message }) => {
          const settled = context.ledger.seen({ id: message.id, reader: name })
          running += 1
          most = Math.max(most, running)
          if (lowered) mostLowered = Math.max(mostLowered, running)
          context.wake()
          if (lowered) await context.pause(5)
          else await full.opened
          running -= 1
          settled()
        }),
      ],
      { concurrency: LIMIT },
    )
    const count = Math.max(4 * LIMIT, context.share(100))
    const sends = Array.from({ length: count }, (_, number) =>
      context.send(sender!, event, { number }, { readers: [name] }),
    )
    await context.until(() => running === LIMIT, `${LIMIT} handlers to run at once`)
    await context.pause(200)
    equal(most, LIMIT, `handlers that ran at once, of ${count} messages with concurrency ${LIMIT}`)
    service.setConcurrency(LOWERED)
    lowered = true
    full.open()
    await Promise.all(sends)
    await context.finish()
    ok(mostLowered <= LOWERED, `handlers that ran at once after setConcurrency(${LOWERED}): ${mostLowered}`)
    equal(mostLowered, LOWERED, `handlers that ran at once after setConcurrency(${LOWERED})`)
  },
}

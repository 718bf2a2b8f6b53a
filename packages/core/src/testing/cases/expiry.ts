import { deepEqual } from 'node:assert/strict'
import { defineEvent } from '../../definition.ts'
import { on } from '../../handler.ts'
import { anything } from '../anything.ts'
import { gate } from '../gate.ts'
import type { SuiteCase } from '../suite-case.ts'
import { listed } from './dead-letter.ts'

const SHORT_MS = 200

export const expiry: SuiteCase = {
  id: '44',
  title: 'what is past its time is not handled and is no dead letter; what is not is handled',
  async run(context) {
    const event = defineEvent(context.name('brief'), {
      schema: anything<{ label: string }>(),
      destination: context.topic(),
    })
    const service = context.name('in-time')
    const [bus, sender] = await context.buses(2)
    const busy = gate()
    const handled: string[] = []
    await bus!.subscribe(
      service,
      [
        on(event, async ({ label }) => {
          handled.push(label)
          context.wake()
          if (label === 'first') await busy.opened
        }),
      ],
      { concurrency: 1 },
    )
    const sends = [sender!.publish(event, { label: 'first' })]
    await context.until(() => handled.length === 1, 'the first message')
    for (let number = 0; number < 5; number += 1) {
      sends.push(sender!.publish(event, { label: `brief ${number}` }, { ttlMs: SHORT_MS }))
      sends.push(sender!.publish(event, { label: `long ${number}` }, { ttlMs: 600_000 }))
    }
    await context.pause(SHORT_MS + 100)
    busy.open()
    await Promise.all(sends)
    await context.until(() => handled.length >= 6, 'the messages that are not past their time')
    await context.pause(context.options.quietMs)
    const expected = ['first', ...Array.from({ length: 5 }, (_, number) => `long ${number}`)]
    deepEqual(handled.toSorted(), expected.toSorted(), 'what was handled')
    deepEqual(await listed(bus!, service), [], 'dead letters')
  },
}

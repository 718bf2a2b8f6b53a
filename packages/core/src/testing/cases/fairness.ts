import { ok } from 'node:assert/strict'
import { defineEvent } from '../../definition.ts'
import { on } from '../../handler.ts'
import { anything } from '../anything.ts'
import { keepsOrder } from '../case-context.ts'
import { gate } from '../gate.ts'
import type { SuiteCase } from '../suite-case.ts'

const HOT = 40
const COLD_KEYS = 9
const COLD = 10

export const fairness: SuiteCase = {
  id: '46',
  title: 'a hot key that fills the window does not hold up nine cold ones',
  lacks: ({ capabilities }) => (keepsOrder(capabilities, 'key') ? undefined : 'order per key'),
  async run(context) {
    const event = defineEvent(context.name('numbered'), {
      schema: anything<{ key: string; number: number }>(),
      destination: context.topic(),
      orderingKey: ({ key }) => key,
    })
    const service = context.name('fair')
    const [bus, sender] = await context.buses(2)
    const cold = gate()
    let coldDone = 0
    await bus!.subscribe(
      service,
      [
        on(event, async ({ key }, { message }) => {
          const settled = context.ledger.seen({ id: message.id, reader: service })
          // the first of the hot key takes as long as all the cold ones together
          if (key === 'hot') await cold.opened
          else coldDone += 1
          settled()
        }),
      ],
      { concurrency: 10 },
    )
    const send = (key: string, number: number) =>
      context.send(sender!, event, { key, number }, { key, readers: [service] })
    const sends: Promise<void>[] = []
    for (let number = 0; number < HOT; number += 1) sends.push(send('hot', number))
    await context.until(() => context.ledger.count(service) > 0, 'the hot key to be handled')
    const startMs = performance.now()
    for (let number = 0; number < COLD; number += 1) {
      for (let key = 0; key < COLD_KEYS; key += 1) sends.push(send(`cold ${key}`, number))
    }
    await context.until(() => coldDone === COLD_KEYS * COLD, 'the cold keys to be handled while the hot one is busy')
    const tookMs = performance.now() - startMs
    cold.open()
    ok(tookMs <= 5_000, `the cold keys took ${Math.round(tookMs)} ms`)
    await Promise.all(sends)
    await context.finish()
  },
}

import { deepEqual, equal } from 'node:assert/strict'
import { UnrecoverableError } from '../../errors.ts'
import { on } from '../../handler.ts'
import { createParkedList } from '../parked-list.ts'
import type { SuiteCase } from '../suite-case.ts'
import { listed, parkable } from './dead-letter.ts'

const REFUSALS = 5

export const parkingRefused: SuiteCase = {
  id: '64',
  title: 'while its dead letter is refused a message stays open, and is kept once in the end',
  async run(context) {
    const { event, message } = parkable(context)
    const service = context.name('refused')
    const list = createParkedList()
    let asked = 0
    const [first, second] = await context.clients(2)
    const bus = context.busOver(first!, {
      ...list,
      park: (messages) => {
        asked += 1
        context.wake()
        return asked > REFUSALS
          ? list.park(messages)
          : messages.map(() => Promise.reject(new Error('no room, as planned')))
      },
    })
    let calls = 0
    await bus.subscribe(service, [
      on(event, () => {
        calls += 1
        throw new UnrecoverableError('as planned')
      }),
    ])
    const doomed = message(1)
    // where a publish is fulfilled by its settlement it takes as long as that
    const published = Promise.all(second!.publish([doomed], { timeoutMs: 30_000 }))
    await context.until(() => asked > REFUSALS, `the dead letter to be taken after ${REFUSALS} refusals`)
    await published
    await context.pause(context.options.quietMs)
    deepEqual(
      (await listed(bus, service)).map(({ message: { id } }) => id),
      [doomed.id],
      'what was parked',
    )
    equal(calls, 1, 'calls of the handler while its message could not be parked')
    equal(asked, REFUSALS + 1, 'times that the message was to be parked')
  },
}

export const parkedListing: SuiteCase = {
  id: '65',
  title: 'dead letters may be looked at fifty times: nothing is lost, counted or moved',
  lacks: ({ capabilities }) => (capabilities.deadLetter ? undefined : 'dead letters'),
  async run(context) {
    const { event, message } = parkable(context)
    const service = context.name('looked-at')
    const [bus] = await context.buses(1)
    const sender = await context.client()
    let failing = true
    await bus!.subscribe(service, [
      on(event, ({ number }, { message: { id } }) => {
        if (failing) throw new UnrecoverableError(`as planned, ${number}`)
        context.ledger.seen({ id, reader: service })()
      }),
    ])
    const count = 5
    const doomed = Array.from({ length: count }, (_, number) => message(number))
    await Promise.all(sender.publish(doomed))
    await context.eventually(async () => (await listed(bus!, service)).length === count, `${count} dead letters`)
    const before = await listed(bus!, service)
    for (let round = 0; round < 10; round += 1) {
      const looks = await Promise.all(Array.from({ length: 5 }, () => listed(bus!, service)))
      for (const look of looks) deepEqual(look, before, `what a look of round ${round} showed`)
    }
    failing = false
    for (const { id } of doomed) context.ledger.sent({ id, readers: [service] })(true)
    await Promise.all(bus!.parked.replay(before.map(({ handle }) => handle)))
    await context.finish()
    deepEqual(await listed(bus!, service), [], 'dead letters after the replay')
  },
}

import { ok } from 'node:assert/strict'
import { defineEvent } from '../../definition.ts'
import { UnrecoverableError } from '../../errors.ts'
import { on } from '../../handler.ts'
import { reasonOf } from '../../retry.ts'
import { anything } from '../anything.ts'
import { aborted } from '../gate.ts'
import type { SuiteCase } from '../suite-case.ts'

const FAILURES: Record<string, (signal: AbortSignal) => void | Promise<void>> = {
  'throws at once': () => {
    throw new Error('as planned')
  },
  rejects: () => Promise.reject(new Error('as planned')),

  'rejects with a text': () => Promise.reject('as planned'),
  'throws nothing': () => {
    // eslint-disable-next-line @typescript-eslint/only-throw-error -- users' code does it
    throw undefined
  },
  'never ends until aborted': async (signal) => {
    await aborted(signal)
    throw new Error('as planned')
  },
}

export const handlerFailures: SuiteCase = {
  id: '12',
  title: 'however a handler fails, the message comes again or is dead-lettered, as the policy says',
  async run(context) {
    const event = defineEvent(context.name('tried'), {
      schema: anything<{ how: string }>(),
      destination: context.topic(),
    })
    const service = context.name('fails')
    const [bus, sender] = await context.buses(2)
    const tries = new Map<string, number>()
    await bus!.subscribe(
      service,
      [
        on(event, async ({ how }, { message, signal }) => {
          const count = (tries.get(how) ?? 0) + 1
          tries.set(how, count)
          context.wake()
          if (how === 'hopeless') throw new UnrecoverableError('as planned')
          if (count === 1) await FAILURES[how]?.(signal)
          context.ledger.seen({ id: message.id, reader: service })()
        }),
      ],
      {
        handlerTimeoutMs: 300,
        retry: (error) => (error instanceof UnrecoverableError ? { deadLetter: reasonOf(error) } : { retryInMs: 10 }),
      },
    )
    for (const how of Object.keys(FAILURES)) await context.send(sender!, event, { how }, { readers: [service] })
    const hopeless = await sender!.publish(event, { how: 'hopeless' })
    await context.finish()
    for (const how of Object.keys(FAILURES)) {
      ok((tries.get(how) ?? 0) >= 2, `a handler that ${how} was called ${tries.get(how) ?? 0} times`)
    }
    await context.eventually(async () => {
      for await (const { message } of bus!.parked.list({ service })) if (message.id === hopeless) return true
      return false
    }, 'the message given up on to be in the list of dead letters')
  },
}

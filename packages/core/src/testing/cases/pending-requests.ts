import { deepEqual, equal, ok } from 'node:assert/strict'
import type { Bus } from '../../bus.ts'
import { respond } from '../../handler.ts'
import type { CaseContext } from '../case-context.ts'
import { codeOf, failureOf, isTyped } from '../errors-of.ts'
import { gate } from '../gate.ts'
import type { SuiteCase } from '../suite-case.ts'
import { question, requestLacking } from './requests.ts'

const COUNT = 50

export const pendingRequests: SuiteCase = {
  id: '39',
  title: 'fifty pending requests end at once when their asker aborts or stops, and none hangs when the line is lost',
  lacks: requestLacking,
  async run(context) {
    const ask = question(context)
    const [responder, aborting, stopping] = await context.buses(3)
    const silence = gate()
    let asked = 0
    await responder!.subscribe(
      context.name('keeps-silent'),
      [
        respond(ask, async ({ number }) => {
          asked += 1
          context.wake()
          await silence.opened
          return { answer: number * 2, heard: '' }
        }),
      ],
      { concurrency: 3 * COUNT },
    )
    const pending = async (bus: Bus, timeoutMs: number, signal?: AbortSignal) => {
      const before = asked
      const requests = Array.from({ length: COUNT }, (_, number) =>
        outcomeOf(bus.request(ask, { number }, { timeoutMs, signal })),
      )
      await context.until(() => asked === before + COUNT, `${COUNT} requests to be asked`)
      return requests
    }

    const reason = new Error('the asker lost interest')
    const interest = new AbortController()
    const aborted = await pending(aborting!, 30_000, interest.signal)
    interest.abort(reason)
    const ends = await endsOf(context, aborted, 'abort')
    equal(
      ends.filter(({ failure }) => failure === reason).length,
      COUNT,
      'requests that rejected with the reason given',
    )

    const stopped = await pending(stopping!, 30_000)
    const stop = stopping!.stop()
    const closed = await endsOf(context, stopped, 'stop')
    deepEqual([...new Set(closed.map(({ failure }) => codeOf(failure)))], ['CLOSED'], 'how they ended at stop')
    await stop

    const lose = loseLine(context)
    if (lose !== undefined) {
      const transport = await context.client()
      const lost = await pending(context.busOver(transport), 10_000)
      await lose(transport)
      silence.open()
      // those whose answer was lost end by their own time-out, none later
      for (const { failure, answered } of await Promise.all(lost)) {
        ok(answered || isTyped(failure), `a request pending when the line was lost ended with ${String(failure)}`)
      }
    }
    silence.open()
    const [next] = await context.buses(1)
    equal(await takenAnswer(context, next!), 42, 'the answer to a request after all that')
  },
}

/** While the fifty that came again are handled, the responder may ask to be asked again later. */
async function takenAnswer(context: CaseContext, bus: Bus): Promise<number> {
  const ask = question(context)
  const deadlineMs = performance.now() + 15_000
  for (;;) {
    try {
      return (await bus.request(ask, { number: 21 }, { timeoutMs: 15_000 })).answer
    } catch (error) {
      const shed = (error as { readonly remoteCode?: unknown }).remoteCode === 'OVERLOAD'
      if (!shed || performance.now() > deadlineMs) throw error
      await context.pause(50)
    }
  }
}

interface Outcome {
  readonly answered: boolean
  readonly failure: unknown
}

async function outcomeOf(request: Promise<unknown>): Promise<Outcome> {
  const failure = await failureOf(request)
  return { answered: failure === undefined, failure }
}

async function endsOf(context: CaseContext, requests: readonly Promise<Outcome>[], what: string): Promise<Outcome[]> {
  const ends: Outcome[] = []
  for (const request of requests) {
    void request.then((outcome) => {
      ends.push(outcome)
      context.wake()
    })
  }
  const startMs = performance.now()
  await context.until(() => ends.length === COUNT, `all pending requests to end at ${what}`)
  const tookMs = performance.now() - startMs
  ok(tookMs <= 1_000, `pending requests took ${Math.round(tookMs)} ms to end at ${what}`)
  return ends
}

function loseLine(context: CaseContext) {
  const { broker } = context.options.hooks
  if (broker !== undefined) return () => broker.restart()
  // without a store there is no line to lose
  if (context.capabilities().persistent !== true) return undefined
  return context.hook('disconnect', 'requests that are pending when the line is lost')
}

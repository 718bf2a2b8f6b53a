import { deepEqual, equal, ok } from 'node:assert/strict'
import { defineRequest } from '../../definition.ts'
import { respond } from '../../handler.ts'
import { UnrecoverableError } from '../../errors.ts'
import type { Transport } from '../../transport.ts'
import { anything } from '../anything.ts'
import type { CaseContext } from '../case-context.ts'
import { codeOf, failureOf } from '../errors-of.ts'
import { headersOf } from '../sample.ts'
import type { SuiteCase } from '../suite-case.ts'

export const requestLacking = ({ openReplies, capabilities }: Transport): string | undefined =>
  openReplies !== undefined || capabilities.broadcast ? undefined : 'reply addresses and broadcast'

export const question = (context: CaseContext, label = 'question') =>
  defineRequest(context.name(label), {
    schema: anything<{ number: number }>(),
    reply: anything<{ answer: number; heard: string }>(),
    destination: context.queue(label),
  })

export const requestReply: SuiteCase = {
  id: '35',
  title: 'a request gets its reply; a failing responder gives a typed error',
  lacks: requestLacking,
  async run(context) {
    const [requester, responder] = await context.buses(2)
    const ask = question(context)
    await responder!.subscribe(context.name('answers'), [
      respond(ask, ({ number }, { message }) => {
        if (number < 0) throw new UnrecoverableError('as planned')
        return { answer: number * 2, heard: String(message.headers.tone) }
      }),
    ])
    for (let number = 0; number < context.share(100); number += 1) {
      const headers = headersOf({ tone: `tone-${number}` })
      const reply = await requester!.request(ask, { number }, { timeoutMs: 10_000, headers })
      deepEqual(reply, { answer: number * 2, heard: `tone-${number}` })
    }
    const failure = await failureOf(requester!.request(ask, { number: -1 }, { timeoutMs: 10_000 }))
    equal(codeOf(failure), 'REMOTE', `code of what a failing responder gave: ${String(failure)}`)
    equal((failure as { remoteCode?: string }).remoteCode, 'UNRECOVERABLE', 'the remote code')
    const { answer } = await requester!.request(ask, { number: 1 }, { timeoutMs: 10_000 })
    equal(answer, 2, 'the answer after a failure')
  },
}

export const manyRequests: SuiteCase = {
  id: '36',
  title: 'a thousand requests at once, three responders: each gets its own reply',
  lacks: requestLacking,
  async run(context) {
    const ask = question(context)
    const [first, second, ...responders] = await context.buses(5)
    const service = context.name('answers')
    const members = context.capabilities().services ? responders : responders.slice(0, 1)
    await Promise.all(
      members.map((bus) =>
        bus.subscribe(
          service,
          [
            respond(ask, async ({ number }) => {
              await context.pause(context.random() * 50)
              return { answer: number * 2, heard: '' }
            }),
          ],
          { concurrency: 100 },
        ),
      ),
    )
    const count = context.share(1_000)
    const answers = await Promise.all(
      Array.from({ length: count }, async (_, number) => {
        const reply = await (number % 2 ? first! : second!).request(ask, { number }, { timeoutMs: 30_000 })
        return reply.answer
      }),
    )
    const crossed = answers.filter((answer, number) => answer !== number * 2).length
    equal(crossed, 0, `of ${count} requests, those that got the reply of another`)
  },
}

export const requestTimeout: SuiteCase = {
  id: '37',
  title: 'without an answer a request ends at its time-out; without a responder sooner, where the carrier can tell',
  lacks: requestLacking,
  async run(context) {
    const [requester, responder] = await context.buses(2)
    const silent = question(context, 'silent')
    const silence = context.gate()
    await responder!.subscribe(
      context.name('keeps-silent'),
      [
        respond(silent, async () => {
          // not until its signal aborts: that comes with the request's own deadline, and the answer might be in time
          await silence.opened
          return { answer: 0, heard: '' }
        }),
      ],
      { handlerTimeoutMs: 2_500 },
    )
    // the first request also pays for opening the reply address
    await failureOf(requester!.request(silent, { number: 0 }, { timeoutMs: 500 }))
    const waited = await timed(() => requester!.request(silent, { number: 1 }, { timeoutMs: 1_000 }))
    equal(codeOf(waited.failure), 'TIMEOUT', `code of a request that nobody answered: ${String(waited.failure)}`)
    ok(
      waited.afterMs >= 950 && waited.afterMs <= 1_450,
      `a time-out of 1000 ms came after ${Math.round(waited.afterMs)} ms`,
    )
    const nobody = question(context, 'nobody')
    const timeoutMs = context.capabilities().unroutable ? 5_000 : 1_000
    const unheard = await timed(() => requester!.request(nobody, { number: 2 }, { timeoutMs }))
    if (context.capabilities().unroutable) {
      equal(codeOf(unheard.failure), 'PUBLISH', `code of a request without a responder: ${String(unheard.failure)}`)
      ok(unheard.afterMs <= 2_000, `a request without a responder failed only after ${Math.round(unheard.afterMs)} ms`)
    } else {
      ok(
        ['TIMEOUT', 'PUBLISH'].includes(codeOf(unheard.failure)),
        `code of a request without a responder: ${String(unheard.failure)}`,
      )
      ok(unheard.afterMs <= 1_450, `a time-out of 1000 ms came after ${Math.round(unheard.afterMs)} ms`)
    }
  },
}

async function timed(call: () => Promise<unknown>): Promise<{ failure: unknown; afterMs: number }> {
  const startMs = performance.now()
  const failure = await failureOf(call())
  return { failure, afterMs: performance.now() - startMs }
}

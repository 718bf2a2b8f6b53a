import { randomUUID } from 'node:crypto'
import { equal } from 'node:assert/strict'
import { json } from '../../codec.ts'
import { uuidv7 } from '../../ports.ts'
import type { WireMessage } from '../../wire-message.ts'
import { codeOf, failureOf } from '../errors-of.ts'
import { headersOf, numberOf } from '../sample.ts'
import type { SuiteCase } from '../suite-case.ts'
import { question, requestLacking } from './requests.ts'

const LATE = 1
const TWICE = 2
const FORGED = 3

export const strayReplies: SuiteCase = {
  id: '38',
  title: 'late, doubled, forged and old replies are ignored, and the next request is not touched',
  lacks: requestLacking,
  async run(context) {
    const ask = question(context)
    const responder = await context.client()
    const [requester, next] = await context.buses(2)
    const requests: WireMessage[] = []
    const replied: Promise<unknown>[] = []
    // a reply that nobody waits for may be refused or taken; what counts is that it does no harm
    const reply = (request: WireMessage, answer: number, correlationId = request.correlationId) => {
      const [promise] = responder.publish([replyTo(request, answer, correlationId)])
      const settled = failureOf(promise!)
      replied.push(settled)
      return settled
    }
    let lateReply: Promise<unknown> | undefined
    await context.read({
      transport: responder,
      service: context.name('strays'),
      from: [ask.destination],
      handle: ({ message }) => {
        requests.push(message)
        const number = numberOf(message)
        context.wake()
        if (number === LATE) lateReply = context.pause(500).then(() => reply(message, -1))
        else if (number === TWICE) void Promise.all([reply(message, number), reply(message, number)])
        else if (number === FORGED) void reply(message, -1, randomUUID()).then(() => reply(message, number))
        else void reply(message, number)
        return { outcome: 'ack' }
      },
    })
    const answerTo = async (bus: typeof requester, number: number, when: string) => {
      const answered = bus!.request(ask, { number }, { timeoutMs: 10_000 })
      const { answer } = await answered.catch((cause: unknown) => {
        throw new Error(`request ${when} failed`, { cause })
      })
      equal(answer, number, `the answer to the request ${when}`)
    }
    await answerTo(requester, 10, 'before all strays')
    const late = await failureOf(requester!.request(ask, { number: LATE }, { timeoutMs: 400 }))
    equal(codeOf(late), 'TIMEOUT', `a request whose reply is late: ${String(late)}`)
    await context.until(() => lateReply !== undefined, 'the late request')
    await lateReply
    await answerTo(requester, 11, 'after a late reply')
    await answerTo(requester, TWICE, 'that is answered twice')
    await answerTo(requester, 12, 'after a reply that came twice')
    await answerTo(requester, FORGED, 'that a forged reply precedes')
    await requester!.stop()
    await reply(requests[0]!, -1)
    await answerTo(next, 13, 'of another client, after a reply to one that is gone')
    await answerTo(next, 14, 'after that')
    await Promise.all(replied)
  },
}

function replyTo(request: WireMessage, answer: number, correlationId: string | undefined): WireMessage {
  return {
    id: uuidv7(Date.now()),
    type: `${request.type}.reply`,
    destination: { kind: 'reply', name: request.replyTo ?? '' },
    contentType: json.contentType,
    body: json.encode({ answer, heard: '' }),
    attributes: { source: '/suite', time: new Date().toISOString() },
    headers: headersOf({}),
    correlationId,
  }
}

import { deepEqual, equal, ok } from 'node:assert/strict'
import { json } from '../../codec.ts'
import { UnrecoverableError } from '../../errors.ts'
import type { Gathered } from '../../gathering.ts'
import { respond } from '../../handler.ts'
import { uuidv7 } from '../../ports.ts'
import type { WireMessage } from '../../wire-message.ts'
import type { CaseContext } from '../case-context.ts'
import { headersOf, numberOf } from '../sample.ts'
import type { SuiteCase } from '../suite-case.ts'
import { question, requestLacking } from './requests.ts'

/** What the responders do is asked for by number. */
const THREE_AT_ONCE = 1
const ONE_SILENT = 2
const ALL = 3

const DEADLINE_MS = 3_000

export const gathering: SuiteCase = {
  id: '40',
  title: 'five services are asked at once: answers, errors, missing, doubled and late ones are told apart',
  lacks: (transport) => requestLacking(transport) ?? (transport.capabilities.services ? undefined : 'services'),
  async run(context) {
    const ask = question(context)
    const { idleTimeoutMs: answersMs } = context.options
    const topic = { ...ask.destination, kind: 'topic' } as const
    const [requester, ...responders] = await context.buses(3)
    const services = Array.from({ length: 5 }, (_, index) => context.name(`branch-${index}`))
    let release!: () => void
    let released = new Promise<void>((resolve) => (release = resolve))
    const responder = (index: number) =>
      respond(ask, async ({ number }, { signal }) => {
        const waits = (number === THREE_AT_ONCE && index >= 3) || (number === ONE_SILENT && index === 4)
        if (waits) await Promise.race([released, aborted(signal)])
        if (number === ONE_SILENT && index === 3) throw new UnrecoverableError('as planned')
        return { answer: index, heard: services[index]! }
      })
    // the first of them has two instances, which are one service
    await Promise.all(services.map((service, index) => responders[0]!.subscribe(service, [responder(index)])))
    await responders[1]!.subscribe(services[0]!, [responder(0)])

    // the first one also pays for opening the reply address
    const first = await requester!.gather(ask, { number: ALL }, { timeoutMs: answersMs, expect: services })
    deepEqual(answersOf(first), services.toSorted(), 'who answered when all are named')
    deepEqual(first.missing, [], 'who is missing when all have answered')

    const three = await requester!.gather(ask, { number: THREE_AT_ONCE }, { timeoutMs: answersMs, expect: 3 })
    deepEqual(answersOf(three), services.slice(0, 3), 'who answered when three are enough')
    const before = requester!.stats.lateReplies
    release()
    await context.eventually(async () => three.late === 2, 'two stragglers to be counted')
    equal(requester!.stats.lateReplies - before, 2, 'late replies of the bus')
    equal(three.replies.length, 3, 'replies after the stragglers')

    released = new Promise<void>((resolve) => (release = resolve))
    const startMs = performance.now()
    const partial = requester!.gather(ask, { number: ONE_SILENT }, { timeoutMs: DEADLINE_MS, expect: services })
    const heard: string[] = []
    for await (const { service } of partial) heard.push(service)
    const afterMs = performance.now() - startMs
    const { replies, failures, missing } = await partial
    release()
    ok(
      afterMs >= DEADLINE_MS - 50 && afterMs <= DEADLINE_MS + 450,
      `a deadline of ${DEADLINE_MS} ms came after ${Math.round(afterMs)} ms`,
    )
    deepEqual(heard.toSorted(), services.slice(0, 4), 'who was heard as the answers came')
    deepEqual(replies.map(({ service }) => service).toSorted(), services.slice(0, 3), 'who replied')
    deepEqual(
      failures.map(({ service, error }) => [service, (error as { remoteCode?: string }).remoteCode]),
      [[services[3], 'UNRECOVERABLE']],
      'who failed',
    )
    deepEqual(missing, [services[4]], 'who is missing')

    const twice = context.name('twice')
    await answerTwice(context, twice, topic)
    const doubled = requester!.gather(ask, { number: ALL }, { timeoutMs: answersMs, expect: [...services, twice] })
    deepEqual(answersOf(await doubled), [...services, twice].toSorted(), 'who answered when one answers twice')
    await context.eventually(async () => (await doubled).late === 1, 'the second answer of one service to be counted')
    equal((await doubled).replies.length, 6, 'replies when one answers twice')

    const one = await requester!.request(ask, { number: ALL }, { timeoutMs: answersMs })
    // where a queue and a topic of one name are one (Kafka), the reader of the topic hears it too
    ok([...services, twice].includes(one.heard), 'a request that several services answer gets an answer of one of them')

    const unheard = question(context, 'unheard')
    const silence = await requester!.gather(unheard, { number: ALL }, { timeoutMs: 1_500, expect: 2 })
    deepEqual([silence.replies, silence.missing], [[], 2], 'what came where nobody reads')
  },
}

/** Each answer by the service it is marked with; one that is marked with another's name is marked so. */
function answersOf({ replies }: Gathered<{ heard: string }, unknown>): string[] {
  return replies
    .map(({ service, data }) => (service === data.heard ? service : `${service} for ${data.heard}`))
    .toSorted()
}

async function answerTwice(context: CaseContext, service: string, topic: WireMessage['destination']): Promise<void> {
  const transport = await context.client()
  await context.read({
    transport,
    service,
    from: [topic],
    start: 'latest',
    handle: async ({ message }) => {
      if (numberOf(message) === ALL && (message.expiresAtMs ?? 0) > Date.now()) {
        await Promise.allSettled(transport.publish([answer(message, service), answer(message, service)]))
      }
      return { outcome: 'ack' }
    },
  })
}

function answer(request: WireMessage, service: string): WireMessage {
  return {
    id: uuidv7(Date.now()),
    type: `${request.type}.reply`,
    destination: { kind: 'reply', name: request.replyTo ?? '' },
    contentType: json.contentType,
    body: json.encode({ answer: 0, heard: service }),
    attributes: { source: '/suite', time: new Date().toISOString(), service },
    headers: headersOf({}),
    correlationId: request.correlationId,
  }
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }))
}

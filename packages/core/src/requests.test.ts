import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { json } from './codec.ts'
import { createBus } from './create-bus.ts'
import { defineRequest } from './definition.ts'
import { type RemoteError } from './errors.ts'
import { respond } from './handler.ts'
import { memory } from './memory/index.ts'
import { Observer } from './observer.ts'
import type { Carrier } from './outgoing.ts'
import { Requests } from './requests.ts'
import { manualTime } from './testing/manual-time.ts'
import type { Transport } from './transport.ts'
import type { WireMessage } from './wire-message.ts'

const Ask = defineRequest('ask', { schema: z.object({ n: z.number() }), reply: z.object({ n: z.number() }) })

/** Requests over a carrier whose replies the test makes up. */
function talk(max = 10_000) {
  const time = manualTime()
  const sent: { readonly n: number; readonly correlationId: string }[] = []
  let receive!: (reply: WireMessage) => void
  let late = 0
  const openReplies: Transport['openReplies'] = async (onReply) => {
    receive = onReply
    return { address: 'here', [Symbol.asyncDispose]: async () => {} }
  }
  const carrier = { name: '', transport: { openReplies } } as unknown as Carrier
  const requests = new Requests(time.ports, max, new Observer(undefined, time.ports.clock), () => late++)
  const asking = (n: number, timeoutMs = 1_000) => ({
    definition: Ask,
    carrier,
    timeoutMs,
    send: async (correlationId: string) => void sent.push({ n, correlationId }),
  })
  const reply = (correlationId: string | undefined, n: number, attributes: Record<string, string> = {}) =>
    receive({
      id: `${n}`,
      type: 'ask.reply',
      destination: { kind: 'reply', name: 'here' },
      contentType: json.contentType,
      body: json.encode({ n }),
      attributes: { source: '/test', ...attributes },
      headers: {},
      correlationId,
    })
  return { time, requests, asking, reply, sent, late: () => late }
}

interface Plan {
  readonly replies: 0 | 1 | 2 | 3
  readonly fails: boolean
}

describe('requests in flight', () => {
  it('each get their own reply, in whatever order and however often replies come, forged ones among them', async () => {
    const plans = fc.array(fc.record<Plan>({ replies: fc.constantFrom(0, 1, 2, 3), fails: fc.boolean() }), {
      minLength: 1,
      maxLength: 30,
    })
    await fc.assert(
      fc.asyncProperty(
        plans,
        fc.array(fc.string(), { maxLength: 10 }),
        fc.infiniteStream(fc.nat()),
        async (all, forged, order) => {
          const { time, requests, asking, reply, sent, late } = talk()
          const answers = all.map((_, n) => requests.call(asking(n)).catch((error: unknown) => error))
          await time.settle()
          expect(requests.pending).toBe(all.length)
          const coming = sent.flatMap(({ n, correlationId }) =>
            Array.from({ length: all[n]!.replies }, () => () => {
              reply(correlationId, n, all[n]!.fails ? { errorcode: `E${n}`, service: `s${n}` } : {})
            }),
          )
          for (const id of forged) coming.push(() => reply(id, -1))
          coming.push(() => reply(undefined, -1))
          for (let left = coming.length; left > 0; left--) {
            coming.splice(order.next().value! % left, 1)[0]!()
            if (left % 3 === 0) await time.settle()
          }
          await time.advance(1_000)
          for (const [n, plan] of all.entries()) {
            const answer = await answers[n]
            if (plan.replies === 0) expect(answer).toMatchObject({ code: 'TIMEOUT' })
            else if (plan.fails)
              expect(answer).toMatchObject({ remoteCode: `E${n}`, service: `s${n}` } as Partial<RemoteError>)
            else expect(answer).toEqual({ n })
          }
          const extra = all.reduce((sum, { replies }) => sum + Math.max(0, replies - 1), 0)
          expect(late()).toBe(extra + forged.length + 1)
          expect([requests.pending, time.armed]).toEqual([0, 0])
          await requests.close()
        },
      ),
      { numRuns: 60 },
    )
  })

  it('as gatherings take each service once, whatever comes, and count the rest', async () => {
    const coming = fc.array(
      fc.record({ to: fc.nat(2), service: fc.constantFrom('a', 'b', 'c', 'd'), fails: fc.boolean() }),
    )
    await fc.assert(
      fc.asyncProperty(coming, fc.nat(40), async (replies, deadlineAt) => {
        const { time, requests, asking, reply, sent, late } = talk()
        const names = ['a', 'b', 'c']
        const gatherings = [0, 1, 2].map((n) =>
          requests.gather(asking(n), { expect: names, until: undefined, maxAnswers: 10 }),
        )
        await time.settle()
        for (const [index, { to, service, fails }] of replies.entries()) {
          if (index === deadlineAt) await time.advance(1_000)
          reply(sent[to]!.correlationId, to, fails ? { service, errorcode: 'E' } : { service })
          await time.settle()
        }
        await time.advance(1_000)
        let taken = 0
        for (const [to, gathering] of gatherings.entries()) {
          const first = new Map<string, boolean>()
          for (const [index, answer] of replies.entries()) {
            const complete = names.every((name) => first.has(name))
            if (answer.to !== to || index >= deadlineAt || complete || first.has(answer.service)) continue
            first.set(answer.service, answer.fails)
          }
          taken += first.size
          const { replies: got, failures, missing, late } = await gathering
          const services = (failed: boolean) => [...first].filter(([, fails]) => fails === failed).map(([name]) => name)
          expect(got).toEqual(services(false).map((service) => ({ service, data: { n: to } })))
          expect(failures.map(({ service }) => service)).toEqual(services(true))
          expect(missing).toEqual(names.filter((name) => !first.has(name)))
          expect(late).toBe(replies.filter((answer) => answer.to === to).length - first.size)
        }
        expect(late()).toBe(replies.length - taken)
        expect([requests.pending, time.armed]).toEqual([0, 0])
      }),
      { numRuns: 60 },
    )
  })

  it('are bounded, and make room as they end', async () => {
    const { time, requests, asking, reply, sent } = talk(2)
    const first = requests.call(asking(1))
    const gathering = requests.gather(asking(2), { expect: undefined, until: undefined, maxAnswers: 10 })
    await expect(requests.call(asking(3))).rejects.toMatchObject({ code: 'OVERLOAD' })
    await time.settle()
    reply(sent[0]!.correlationId, 1)
    expect(await first).toEqual({ n: 1 })
    const third = expect(requests.call(asking(3))).rejects.toMatchObject({ code: 'TIMEOUT' })
    await time.advance(1_000)
    await third
    expect(await gathering).toMatchObject({ replies: [] })
    expect(requests.pending).toBe(0)
  })
})

describe('a responder that takes longer than its requester waits', () => {
  it('is told by its signal, and what it answers then is not sent but counted', async () => {
    const time = manualTime()
    const bus = createBus({ transport: memory({ ports: time.ports }), source: '/test', ports: time.ports })
    let reason: unknown
    let quick: AbortSignal | undefined
    await bus.subscribe('s', [
      respond(Ask, async ({ n }, context) => {
        if (n === 0) {
          quick = context.signal
          return { n }
        }
        await new Promise<void>((resolve) => context.signal.addEventListener('abort', () => resolve(), { once: true }))
        reason = context.signal.reason
        return { n }
      }),
    ])
    await bus.request(Ask, { n: 0 }, { timeoutMs: 500 })
    const asked = bus.request(Ask, { n: 1 }, { timeoutMs: 500 })
    const failed = expect(asked).rejects.toMatchObject({ code: 'TIMEOUT' })
    await time.advance(499)
    expect(reason).toBeUndefined()
    await time.advance(1)
    await failed
    expect(reason).toMatchObject({ code: 'EXPIRED' })
    expect(quick!.aborted).toBe(false)
    await time.settle()
    expect(bus.stats).toMatchObject({ lateReplies: 0, expired: 1 })
    await bus.stop()
    expect(time.armed).toBe(0)
  })
})

import { describe, expect, it } from 'vitest'
import { memory } from '../../memory/index.ts'
import type { Delivery, Settlement, Subscription, SubscribeOptions, Transport } from '../../transport.ts'
import type { WireMessage } from '../../wire-message.ts'
import type { SuiteHooks } from '../options.ts'
import type { Report } from '../case-result.ts'
import { runCases } from '../run-cases.ts'
import { separateClient } from '../separate-client.ts'

type Deliver = (delivery: Delivery) => Promise<Settlement>

/** Ways to be a bad transport: what it does to a publish, to a delivery, or to any other call. */
export interface Mutant {
  readonly publish?: (messages: readonly WireMessage[], publish: Transport['publish']) => readonly Promise<void>[]
  readonly deliver?: (delivery: Delivery, deliver: Deliver) => Promise<Settlement>
  readonly onReply?: (reply: WireMessage, onReply: (reply: WireMessage) => void) => void
  readonly options?: (options: SubscribeOptions) => SubscribeOptions
  readonly subscription?: (subscription: Subscription) => Subscription
  /** Any other part of the transport, made from the good one. */
  readonly transport?: (good: Transport) => Partial<Transport>
  readonly hooks?: SuiteHooks
  /** For cases that wait on purpose. @default 500 (milliseconds) */
  readonly idleTimeoutMs?: number
  readonly secrets?: readonly string[]
  readonly logLines?: readonly string[]
}

export interface MutantCase {
  /** The case that finds it. */
  readonly caughtBy: string
  /** What the case says then. */
  readonly says: string
  /** A mutant may remember; each run makes its own. */
  readonly make: () => Mutant
}

/** One test for each: its case fails and says why. And one that the same cases pass with the transport unharmed. */
export function catchMutants(topic: string, mutants: Record<string, MutantCase>, unharmed: Mutant = {}): void {
  describe(`of transports with bad ${topic}, the suite`, () => {
    for (const [what, { caughtBy, says, make }] of Object.entries(mutants)) {
      it(`catches one that ${what}, in case ${caughtBy}`, async () => {
        const report = await run(what, [caughtBy], make())
        expect(report.results).toMatchObject([{ id: caughtBy, outcome: 'failed' }])
        expect(report.results[0]!.reason).toContain(says)
      })
    }

    it('finds nothing wrong, in the same cases, with the same transport unharmed', async () => {
      const ids = [...new Set(Object.values(mutants).map(({ caughtBy }) => caughtBy))]
      const report = await run('unharmed', ids, unharmed)
      expect(report.results.filter(({ outcome }) => outcome !== 'passed')).toEqual([])
    })
  })
}

export const changed = (change: (message: WireMessage) => WireMessage): Mutant => ({
  deliver: (delivery, deliver) => deliver({ ...delivery, message: change(delivery.message) }),
})

export const headersBy = (message: WireMessage, rename: (name: string) => string | undefined): WireMessage => {
  const headers = Object.create(null) as Record<string, string | Uint8Array>
  for (const [name, value] of Object.entries(message.headers)) {
    const kept = rename(name)
    if (kept !== undefined) headers[kept] = value
  }
  return { ...message, headers }
}

async function run(name: string, only: readonly string[], mutant: Mutant): Promise<Report> {
  await using hub = memory()
  return await runCases({
    name,
    create: () => altered(separateClient(hub), mutant),
    hooks: mutant.hooks,
    secrets: mutant.secrets,
    logLines: mutant.logLines,
    noConnection: true,
    only,
    seed: 1,
    volume: 1_000,
    quietMs: 50,
    faultMs: 200,
    soakMs: 2_500,
    idleTimeoutMs: mutant.idleTimeoutMs ?? 500,
    caseTimeoutMs: 10_000,
  })
}

function altered(good: Transport, mutant: Mutant): Transport {
  const { publish, deliver: through, onReply: turn, options: turnOptions, subscription, transport } = mutant
  const own = good.publish.bind(good)
  return {
    ...good,
    publish: publish === undefined ? own : (messages) => publish(messages, own),
    subscribe: async (options, deliver) => {
      const subscribed = await good.subscribe(
        turnOptions?.(options) ?? options,
        through === undefined ? deliver : (delivery) => through(delivery, deliver),
      )
      return subscription?.(subscribed) ?? subscribed
    },
    ...(good.openReplies !== undefined && {
      openReplies: (onReply, onLost) =>
        good.openReplies!(turn === undefined ? onReply : (reply) => turn(reply, onReply), onLost),
    }),
    ...transport?.(good),
  }
}

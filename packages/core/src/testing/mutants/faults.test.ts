import { expect, it } from 'vitest'
import { PublishError } from '../../errors.ts'
import { memory } from '../../memory/index.ts'
import { levelsOf } from '../levels.ts'
import { runCases } from '../run-cases.ts'
import { separateClient } from '../separate-client.ts'
import { catchMutants, type Mutant } from './catch-mutants.ts'

interface Flaws {
  readonly silentAfterRestart?: boolean
  readonly silentAfterDelete?: boolean
  readonly takesWhileBlocked?: boolean
  readonly letsAllIn?: boolean
  readonly saysNothing?: boolean
  readonly sharesKeys?: boolean
}

/** The memory transport as a client of a broker that can end, be full and shut people out; the flaws are the client's. */
function client(flaws: Flaws = {}): Mutant {
  let silent = false
  let blocked = false
  let revoked = false
  const refuses = () => (blocked && !flaws.takesWhileBlocked) || (revoked && !flaws.letsAllIn)
  const end = () => {
    silent ||= flaws.silentAfterRestart === true
    return Promise.resolve()
  }
  return {
    // its fault cases wait on purpose
    idleTimeoutMs: 2_500,
    hooks: {
      broker: { restart: end, kill: end, pause: () => {}, resume: () => {} },
      alarm: { block: async () => void (blocked = true), unblock: async () => void (blocked = false) },
      credentials: { revoke: async () => void (revoked = true), restore: async () => void (revoked = false) },
      deleteSource: async () => void (silent ||= flaws.silentAfterDelete === true),
    },
    publish: (messages, publish) =>
      refuses()
        ? messages.map(() => Promise.reject(new PublishError('not taken', { scope: 'transport' })))
        : publish(messages),
    deliver: (delivery, deliver) => (silent ? new Promise<never>(() => {}) : deliver(delivery)),
    options: (options) => (flaws.sharesKeys ? { ...options, mode: 'compete' } : options),
    transport: (good) => ({
      capabilities: { ...good.capabilities, persistent: true },
      declare: ({ destinations, subscriptions }) => {
        const mode = flaws.sharesKeys ? { mode: 'compete' as const } : {}
        return good.declare!({ destinations, subscriptions: subscriptions.map((each) => ({ ...each, ...mode })) })
      },
      health: async (options) =>
        revoked && !flaws.saysNothing
          ? [{ part: 'connection', state: 'down', sinceMs: 0, reason: 'not let in' }]
          : await good.health(options),
    }),
  }
}

catchMutants(
  'ways through faults',
  {
    'reads no more after a restart': {
      caughtBy: '50',
      says: 'waited for a message published after the restart',
      make: () => client({ silentAfterRestart: true }),
    },
    'falls silent when its source is deleted': {
      caughtBy: '52',
      says: 'the service to read again, or to end',
      make: () => client({ silentAfterDelete: true }),
    },
    'confirms what a blocked broker did not take': {
      caughtBy: '55',
      says: 'a publish was fulfilled while the broker takes nothing',
      make: () => client({ takesWhileBlocked: true }),
    },
    'confirms without being let in': {
      caughtBy: '58',
      says: 'publishes of a client that is not let in',
      make: () => client({ letsAllIn: true }),
    },
    'does not say that it is not let in': {
      caughtBy: '58',
      says: 'health to tell why the client is not let in',
      make: () => client({ saysNothing: true }),
    },
    'gives one key to two members': {
      caughtBy: '59',
      says: 'at once',
      make: () => client({ sharesKeys: true }),
    },
  },
  client(),
)

it('leaves out by name what it has no hook for, and does not grant the level', async () => {
  await using hub = memory()
  const only = Array.from({ length: 14 }, (_, index) => String(47 + index))
  const report = await runCases({ name: 'bare', create: () => separateClient(hub), only, seed: 1 })
  expect(report.results.map(({ id, outcome }) => `${id} ${outcome}`)).toEqual(only.map((id) => `${id} skipped`))
  for (const { reason, missingHooks } of report.results) expect(reason).toContain(`no hook ${missingHooks[0]}`)
  const level = levelsOf(report).find((each) => each.level === 'Fault-certified')
  expect(level).toMatchObject({ run: 0, passed: 0, why: expect.stringContaining('for want of a hook') as string })
})

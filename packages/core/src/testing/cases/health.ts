import { ok } from 'node:assert/strict'
import type { PartHealth, Transport } from '../../transport.ts'
import type { CaseContext } from '../case-context.ts'
import { samples } from '../sample.ts'
import { fulfilledWithin } from '../settled-within.ts'
import type { SuiteCase } from '../suite-case.ts'

const PROBE_MS = 2_000
const STATES = ['up', 'degraded', 'down']

export const health: SuiteCase = {
  id: '33',
  title: 'health tells the truth: up at work, not up and why while the broker is away, up again after',
  async run(context) {
    const [sender, receiver, idle] = await context.clients(3)
    const destination = context.queue()
    const service = context.name('healthy')
    await context.read({ transport: receiver!, service, from: [destination] })
    await context.publish(sender!, samples(destination, 10), [service])
    for (const transport of [sender!, receiver!, idle!]) await allUp(context, transport)
    await context.finish()
    const isolate = context.hook('isolate', 'health while the broker is out of reach')
    if (isolate === undefined) return
    const restore = await isolate(receiver!)
    try {
      await context.eventually(async () => {
        const parts = await healthOf(context, receiver!)
        return parts.some(({ state, reason }) => state !== 'up' && reason !== undefined && reason !== '')
      }, 'health to say that something is not up, and why, while the broker is out of reach')
    } finally {
      await restore()
    }
    await allUp(context, receiver!)
    await context.publish(sender!, samples(destination, 10), [service])
    await context.finish(['duplicated'])
  },
}

function allUp(context: CaseContext, transport: Transport): Promise<void> {
  return context.eventually(async () => {
    const parts = await healthOf(context, transport)
    return parts.length > 0 && parts.every(({ state }) => state === 'up')
  }, 'health to say that all parts are up')
}

async function healthOf(context: CaseContext, transport: Transport): Promise<readonly PartHealth[]> {
  const asked = transport.health({ timeoutMs: PROBE_MS })
  const parts = await fulfilledWithin(asked, PROBE_MS + 1_000, `health with timeoutMs ${PROBE_MS}`)
  context.lookForSecrets(parts, 'what health said')
  for (const { part, state, sinceMs, reason, lag } of parts) {
    const right =
      typeof part === 'string' &&
      part !== '' &&
      STATES.includes(state) &&
      Number.isFinite(sinceMs) &&
      (reason === undefined || typeof reason === 'string') &&
      (lag === undefined || lag >= 0)
    ok(right, `a part of health is ${JSON.stringify({ part, state, sinceMs, reason, lag })}`)
  }
  return parts
}

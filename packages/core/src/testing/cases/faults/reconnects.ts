import { equal, ok } from 'node:assert/strict'
import type { CaseContext } from '../../case-context.ts'
import { failureOf, isTyped } from '../../errors-of.ts'
import { sample, samples } from '../../sample.ts'
import type { SuiteCase } from '../../suite-case.ts'
import { publishUntilConfirmed } from './broker-ends.ts'

const CLIENTS = 50
/** In the long run no client asks more often than this. */
const MOST_PER_SECOND = 5

export const reconnectStorm: SuiteCase = {
  id: '57',
  title: 'fifty clients of a broker that is away ask now and then, each in its own time, and all come back once',
  needs: 'proxied',
  async run(context) {
    const { proxied } = context.options.hooks
    const destination = context.topic()
    const service = context.name('storm')
    await context.read({ transport: await context.client(), service, from: [destination] })
    const clients = await Promise.all(Array.from({ length: CLIENTS }, () => context.proxiedClient(proxied!)))
    const publishOnce = () =>
      Promise.all(clients.map(({ transport }) => context.publish(transport, [sample(destination, 1)], [service])))
    await publishOnce()
    for (const { proxy } of clients) proxy.refuse()
    for (const { proxy } of clients) proxy.reset()
    const startMs = performance.now()
    await Promise.all(
      clients.map(({ transport }) =>
        failureOf(Promise.all(transport.publish([sample(destination, 2)], { timeoutMs: context.options.faultMs }))),
      ),
    )
    await context.pause(Math.max(0, context.options.faultMs - (performance.now() - startMs)))
    const tookMs = performance.now() - startMs
    const asked = clients.map(({ proxy }) => proxy.refusedAtMs)
    for (const [index, { proxy, maxConnections }] of clients.entries()) {
      proxy.heal()
      const most = 10 + (MOST_PER_SECOND * maxConnections * tookMs) / 1_000
      ok(asked[index]!.length <= most, `a client asked ${asked[index]!.length} times in ${Math.round(tookMs)} ms`)
    }
    checkJitter(asked)
    await Promise.all(clients.map(({ transport }) => publishUntilConfirmed(context, transport, destination, service)))
    await context.finish(['duplicated', 'unexpected'])
    for (const { proxy, maxConnections } of clients) {
      const now = proxy.connections.length
      ok(now <= maxConnections, `a client may hold ${maxConnections} connections, and has ${now} after it came back`)
    }
  },
}

/** Waits between two asks differ: clients that were cut off together do not come back together. */
function checkJitter(asked: readonly (readonly number[])[]): void {
  const waits = asked.flatMap((times) => times.slice(1).map((atMs, index) => atMs - times[index]!))
  if (waits.length < 10) return
  const mean = waits.reduce((sum, waitMs) => sum + waitMs, 0) / waits.length
  const spread = Math.sqrt(waits.reduce((sum, waitMs) => sum + (waitMs - mean) ** 2, 0) / waits.length)
  ok(
    spread > 0.2 * mean,
    `waits between two asks are ${Math.round(mean)} ms and spread by ${Math.round(spread)} ms only`,
  )
}

export const credentialsChange: SuiteCase = {
  id: '58',
  title: 'a client whose credentials are refused says so, and works again when they are taken',
  needs: 'credentials',
  async run(context) {
    const credentials = context.options.hooks.credentials!
    const [sender, receiver] = await context.clients(2)
    const destination = context.topic()
    const service = context.name('let-in')
    await context.read({ transport: receiver!, service, from: [destination] })
    await context.publish(sender!, samples(destination, 3), [service])
    await credentials.revoke()
    try {
      await refused(context, sender!.publish([sample(destination, 10)], { timeoutMs: 3_000 }))
      await context.eventually(async () => {
        const parts = await sender!.health({ timeoutMs: 1_000 })
        return parts.some(({ state, reason }) => state !== 'up' && reason !== undefined)
      }, 'health to tell why the client is not let in')
      await context.pause(2_000)
    } finally {
      await credentials.restore()
    }
    await publishUntilConfirmed(context, sender!, destination, service)
    await context.finish(['duplicated', 'unexpected'])
  },
}

async function refused(context: CaseContext, publishing: readonly Promise<void>[]): Promise<void> {
  const failures = await Promise.all(publishing.map((promise) => failureOf(promise)))
  equal(failures.filter((failure) => failure === undefined).length, 0, 'publishes of a client that is not let in')
  for (const failure of failures) {
    ok(isTyped(failure), `a publish of a client that is not let in ended with ${String(failure)}`)
  }
  context.wake()
}

import { AssertionError } from 'node:assert'
import { ok } from 'node:assert/strict'
import type { Destination } from '../../../wire-message.ts'
import type { CaseContext } from '../../case-context.ts'
import type { ProxiedClient } from '../../fault-hooks.ts'
import { failureOf, isTyped } from '../../errors-of.ts'
import { sample, samples } from '../../sample.ts'
import type { SuiteCase } from '../../suite-case.ts'
import { publishUntilConfirmed } from './broker-ends.ts'

/** A sender and a receiver behind proxies of their own, and what they talk over. */
interface Pair {
  readonly sender: ProxiedClient
  readonly receiver: ProxiedClient
  readonly destination: Destination
  readonly service: string
}

async function pairOf(context: CaseContext, label: string): Promise<Pair> {
  const { proxied } = context.options.hooks
  const sender = await context.proxiedClient(proxied!)
  const receiver = await context.proxiedClient(proxied!)
  const destination = context.topic(label)
  const service = context.name(`over-${label}`)
  // from the start a log would bring, over this line, all that other cases wrote to it
  await context.read({ transport: receiver.transport, service, from: [destination], start: 'latest' })
  await context.publish(sender.transport, samples(destination, 3), [service])
  return { sender, receiver, destination, service }
}

export const blackhole: SuiteCase = {
  id: '53',
  title: 'a line that goes silent without a word is noticed in time, and both directions recover',
  needs: 'proxied',
  async run(context) {
    const { sender, receiver, destination, service } = await pairOf(context, 'silent-line')
    const startMs = performance.now()
    for (const { proxy } of [sender, receiver]) proxy.blackhole()
    const lost = failureOf(context.publish(sender.transport, samples(destination, 3), [service]))
    const detectedMs = await Promise.all(
      [sender, receiver].map(async ({ transport }) => {
        await context.eventually(async () => {
          const parts = await transport.health({ timeoutMs: 1_000 })
          return parts.some(({ state }) => state !== 'up')
        }, 'health to tell of the silent line')
        return performance.now() - startMs
      }),
    )
    const withinMs = sender.detectsWithinMs + 1_000
    for (const afterMs of detectedMs) {
      ok(afterMs <= withinMs, `the silent line was noticed after ${Math.round(afterMs)} ms, ${withinMs} are right`)
    }
    const failure = await lost
    ok(failure === undefined || isTyped(failure), `a publish into the silent line ended with ${String(failure)}`)
    const direct = await context.client()
    await context.publish(direct, samples(destination, 5), [service])
    await context.pause(Math.max(0, context.options.faultMs - (performance.now() - startMs)))
    for (const { proxy } of [sender, receiver]) proxy.heal()
    await publishUntilConfirmed(context, sender.transport, destination, service)
    await context.finish(['duplicated'])
  },
}

export const badLines: SuiteCase = {
  id: '54',
  title: 'messages get through lines that are slow, chopped, half-open, and broken again and again',
  needs: 'proxied',
  async run(context) {
    const lines = { slow, chopped, 'half-open': halfOpen, breaking: broken }
    await Promise.all(
      Object.entries(lines).map(async ([line, run]) => {
        await run(context).catch((cause: unknown) => {
          throw new AssertionError({ message: `over the ${line} line: ${String(cause)}` })
        })
      }),
    )
    await context.finish(['duplicated'])
  },
}

async function slow(context: CaseContext): Promise<void> {
  const { sender, receiver, destination, service } = await pairOf(context, 'slow-line')
  for (const { proxy } of [sender, receiver]) proxy.latency(500)
  await context.publish(sender.transport, samples(destination, context.share(100)), [service])
}

async function chopped(context: CaseContext): Promise<void> {
  const { sender, receiver, destination, service } = await pairOf(context, 'chopped-line')
  for (const { proxy } of [sender, receiver]) proxy.chop({ bytes: 1, everyMs: 1 })
  await context.publish(sender.transport, [sample(destination, 10)], [service])
}

async function halfOpen(context: CaseContext): Promise<void> {
  for (const direction of ['toClient', 'toTarget'] as const) {
    const { sender, receiver, destination, service } = await pairOf(context, `half-open-${direction}`)
    for (const { proxy } of [sender, receiver]) proxy.halfOpen(direction)
    const lost = failureOf(context.publish(sender.transport, samples(destination, 3), [service]))
    await context.pause(Math.min(context.options.faultMs, sender.detectsWithinMs))
    for (const { proxy } of [sender, receiver]) proxy.heal()
    await lost
    await publishUntilConfirmed(context, sender.transport, destination, service)
  }
}

/** One connection in a hundred messages breaks, on either side. */
async function broken(context: CaseContext): Promise<void> {
  const { sender, receiver, destination, service } = await pairOf(context, 'breaking-line')
  for (let number = 0; number < context.share(500); number += 1) {
    if (context.random() < 0.01) [sender, receiver][Math.floor(context.random() * 2)]!.proxy.reset()
    await context.publish(sender.transport, [sample(destination, number)], [service]).catch(() => {})
  }
  await publishUntilConfirmed(context, sender.transport, destination, service)
}

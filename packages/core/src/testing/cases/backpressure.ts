import { ok } from 'node:assert/strict'
import type { CaseContext } from '../case-context.ts'
import { codeOf, failureOf, isTyped } from '../errors-of.ts'
import { gate } from '../gate.ts'
import { heldBytes } from '../held-bytes.ts'
import { sample } from '../sample.ts'
import type { SuiteCase } from '../suite-case.ts'

const BODY_BYTES = 64 * 1_024
const MAX_OPEN = 50
const MAX_GROWTH_BYTES = 64 * 1_024 * 1_024

export const backpressure: SuiteCase = {
  id: '45',
  title: 'a slow service holds no more than its window, however much waits; a publisher is held up or refused',
  async run(context) {
    const [sender, receiver] = await context.clients(2)
    const destination = context.queue()
    const service = context.name('slow')
    const stored = receiver!.capabilities.persistent === true
    const count = stored ? context.share(1_200) : 4 * MAX_OPEN
    await context.declare(receiver!, [destination], [service])
    // one body for all: what grows is not the sender's
    const body = new Uint8Array(BODY_BYTES).fill(0x78)
    const messages = Array.from({ length: count }, (_, number) => sample(destination, number, { body }))
    const publishing = inTurn(context, messages, (part) => context.publish(sender!, part, [service]))
    if (stored) await publishing
    const before = heldBytes()
    const slow = gate()
    let open = 0
    await context.read({
      transport: receiver!,
      service,
      from: [destination],
      maxOpen: MAX_OPEN,
      handle: async () => {
        open += 1
        context.wake()
        await slow.opened
        return { outcome: 'ack' }
      },
    })
    await context.until(() => open >= MAX_OPEN, `${MAX_OPEN} deliveries to be open`)
    await context.pause(context.options.quietMs)
    const grown = heldBytes() - before
    slow.open()
    if (stored)
      ok(grown < MAX_GROWTH_BYTES, `${count} messages of 64 KiB waiting took ${mebibytes(grown)} MiB of memory`)
    await publishing
    await context.finish()
    await heldUp(context)
  },
}

/** A publisher whose line is silent holds a bounded number of bytes, and each of its promises ends. */
async function heldUp(context: CaseContext): Promise<void> {
  // without a store there is no line that could be silent
  if (context.capabilities().persistent !== true) return
  const proxied = context.hook('proxied', 'publishing into a silent line')
  if (proxied === undefined) return
  const client = await context.proxiedClient(proxied)
  const destination = context.queue('held-up')
  const service = context.name('held-up')
  await context.read({ transport: await context.client(), service, from: [destination] })
  await context.publish(client.transport, [sample(destination, 0)], [service])
  client.proxy.blackhole()
  const body = new Uint8Array(BODY_BYTES).fill(0x78)
  const before = heldBytes()
  const promises = client.transport.publish(
    Array.from({ length: 4_000 }, (_, number) => sample(destination, number, { body })),
    { timeoutMs: 2_000 },
  )
  const failures = promises.map((promise) => failureOf(promise))
  await context.pause(200)
  const grown = heldBytes() - before
  ok(grown < 2 * MAX_GROWTH_BYTES, `4000 messages of 64 KiB given to a silent line took ${mebibytes(grown)} MiB`)
  const startMs = performance.now()
  for (const failure of await Promise.all(failures)) {
    ok(isTyped(failure), `a publish into a silent line ended with ${String(failure)} (${codeOf(failure)})`)
  }
  const tookMs = performance.now() - startMs
  ok(tookMs < 10_000, `publishes with a time-out of 2000 ms took ${Math.round(tookMs)} ms to end`)
  client.proxy.heal()
  await context.eventually(
    async () => (await failureOf(Promise.all(client.transport.publish([sample(destination, 1)])))) === undefined,
    'a publish after the line healed',
  )
}

/** Handed over in parts, so that the bound of a publisher is not what is tested. */
async function inTurn<T>(context: CaseContext, all: readonly T[], work: (part: readonly T[]) => Promise<void>) {
  const size = 100
  for (let from = 0; from < all.length; from += size) {
    await work(all.slice(from, from + size))
    context.wake()
  }
}

function mebibytes(bytes: number): string {
  return (bytes / 1_048_576).toFixed(1)
}

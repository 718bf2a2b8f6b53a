import { equal, match, ok } from 'node:assert/strict'
import type { Transport } from '../../transport.ts'
import type { CaseContext } from '../case-context.ts'
import { failureOf, isTyped } from '../errors-of.ts'
import type { Misconfigured } from '../options.ts'
import { sample, samples } from '../sample.ts'
import { fulfilledWithin, settledWithin } from '../settled-within.ts'
import type { SuiteCase } from '../suite-case.ts'

/** Longer than any connect time-out that a test should set. */
const SOON_MS = 15_000
const ODD_NAMES = ['with space', 'line\nbreak', 'nul\0', 'kůň-🐎', 'any#thing*', 'l'.repeat(300)]

export const badConfig: SuiteCase = {
  id: '34',
  title: 'a wrong setting or name is refused in time, with a typed error that says which and holds no secret',
  async run(context) {
    await oddNames(context)
    const misconfigured = context.hook('misconfigured', 'clients with a wrong setting')
    if (misconfigured === undefined) return
    const given = await misconfigured()
    ok(given.length > 0, 'the hook misconfigured gave no client')
    for (const each of given) await refused(context, each)
  },
}

async function oddNames(context: CaseContext): Promise<void> {
  const [sender, receiver] = await context.clients(2)
  const destination = context.topic('plain')
  const service = context.name('plain')
  await context.read({ transport: receiver!, service, from: [destination] })
  for (const [index, label] of ODD_NAMES.entries()) {
    const odd = context.topic(label)
    const what = `the topic name ${JSON.stringify(label.slice(0, 20))}`
    const reader = context.name(`odd-${index}`)
    const opened = await settledWithin(
      context.read({ transport: receiver!, service: reader, from: [odd] }),
      SOON_MS,
      `subscribe to ${what}`,
    )
    if (opened.status === 'fulfilled') await context.publish(sender!, [sample(odd, index)], [reader])
    else {
      ok(isTyped(opened.reason), `subscribe to ${what}: ${String(opened.reason)}`)
      const sent = failureOf(context.publish(sender!, [sample(odd, index)], []))
      const failure = await fulfilledWithin(sent, SOON_MS, `publish to ${what}`)
      ok(isTyped(failure), `publish to ${what}, which subscribe refused: ${String(failure)}`)
    }
    await context.publish(sender!, samples(destination, 2), [service])
  }
  await context.finish()
}

async function refused(context: CaseContext, { what, names, create }: Misconfigured): Promise<void> {
  const source = context.topic('nowhere')
  let transport: Transport | undefined
  const using = async () => {
    transport = await create()
    const asked = { service: context.name('nobody'), sources: [{ kind: source.kind, name: source.name }] }
    const bounds = { mode: 'compete', ackBefore: false, maxOpen: 10, maxOpenBytes: 65_536, start: 'earliest' } as const
    await transport.subscribe({ ...asked, ...bounds }, async () => ({ outcome: 'ack' }))
  }
  try {
    const opened = await settledWithin(using(), SOON_MS, `a client with ${what}`)
    equal(opened.status, 'rejected', `a client with ${what} subscribed`)
    if (opened.status !== 'rejected') return
    checkRefusal(context, opened.reason, what, names)
    if (transport === undefined) return
    const [promise] = transport.publish([sample(source, 1)], { timeoutMs: 2_000 })
    const sent = await settledWithin(promise!, SOON_MS, `publish of a client with ${what}`)
    equal(sent.status, 'rejected', `a client with ${what} published`)
    if (sent.status === 'rejected') checkRefusal(context, sent.reason, what, undefined)
    context.lookForSecrets(await transport.health({ timeoutMs: 2_000 }), `health of a client with ${what}`)
  } finally {
    if (transport !== undefined) {
      await fulfilledWithin(transport[Symbol.asyncDispose](), SOON_MS, `disposing a client with ${what}`)
    }
  }
}

function checkRefusal(context: CaseContext, error: unknown, what: string, names: string | RegExp | undefined): void {
  context.lookForSecrets(error, `the error of a client with ${what}`)
  ok(isTyped(error), `the error of a client with ${what} is not a typed one: ${String(error)}`)
  if (names === undefined) return
  const { message } = error as Error
  if (typeof names === 'string')
    ok(message.includes(names), `the error of a client with ${what} names ${names}: ${message}`)
  else match(message, names, `the error of a client with ${what}: ${message}`)
}

import { equal, ok } from 'node:assert/strict'
import { defineEvent } from '../../definition.ts'
import type { WireMessage } from '../../wire-message.ts'
import { anything } from '../anything.ts'
import type { CaseContext } from '../case-context.ts'
import { failureOf, isTyped } from '../errors-of.ts'
import { assertRefusedForGood } from '../refusal.ts'
import { headersOf, sample } from '../sample.ts'
import type { SuiteCase } from '../suite-case.ts'

/** Of attributes on some carrier, or able to end a header and begin another. */
const SUSPECT = ['ce_id', 'ce-type', 'cloudEvents:source', 'line\r\nbreak', 'nul\0', '']
/** What the core refuses before any carrier sees it (R25). */
const RESERVED = ['ce_id', 'CE-Type', 'cloudEvents:source', 'waybill-failures', 'x-death', 'line\r\nbreak', 'nul\0']

export const headerRefusal: SuiteCase = {
  id: '19',
  title: 'headers that can not be carried are refused for good, and nothing else suffers',
  async run(context) {
    const [sender, receiver] = await context.clients(2)
    const { maxHeaderBytes } = sender!.capabilities
    const destination = context.topic()
    const service = context.name('headers')
    await context.read({ transport: receiver!, service, from: [destination] })
    const good = () => context.publish(sender!, [sample(destination, 0)], [service])
    if (maxHeaderBytes === undefined) context.leftOut.push('headers over the limit: maxHeaderBytes is not declared')
    else {
      const headers = headersOf({ long: 'l'.repeat(maxHeaderBytes + 1) })
      const [promise] = sender!.publish([sample(destination, 1, { headers })])
      assertRefusedForGood(await failureOf(promise!), 'a message with headers over maxHeaderBytes')
      await good()
    }
    for (const name of SUSPECT) {
      const message = sample(destination, 2, { headers: headersOf({ [name]: 'own', beside: 'kept' }) })
      await refusedOrKept(context, () => context.publish(sender!, [message], [service]), message, service)
      await good()
    }
    await context.finish()
    await reservedNames(context)
  },
}

/** A carrier that can carry it may: then it arrives as the header it is, which the ledger checks. */
async function refusedOrKept(
  context: CaseContext,
  publish: () => Promise<void>,
  { headers, id }: WireMessage,
  service: string,
): Promise<void> {
  const failure = await failureOf(publish())
  const what = `a message with the header ${JSON.stringify(Object.keys(headers)[0])}`
  if (failure === undefined) await context.until(() => context.ledger.count(service, id) > 0, `${what} to arrive`)
  else assertRefusedForGood(failure, what)
}

async function reservedNames(context: CaseContext): Promise<void> {
  const [bus] = await context.buses(1)
  const destination = context.topic('of-bus')
  const event = defineEvent(context.name('headed'), { schema: anything<{ number: number }>(), destination })
  const service = context.name('of-bus')
  await context.read({ transport: await context.client(), service, from: [destination] })
  for (const name of RESERVED) {
    const failure = await failureOf(bus!.publish(event, { number: 1 }, { headers: headersOf({ [name]: 'own' }) }))
    const what = `publish over a bus with the header ${JSON.stringify(name)}`
    ok(isTyped(failure), `${what}: ${String(failure)}`)
    equal((failure as { retryable?: unknown }).retryable, false, `retryable of the refusal of ${what}`)
  }
  await context.send(bus!, event, { number: 2 }, { readers: [service] })
  await context.finish()
}

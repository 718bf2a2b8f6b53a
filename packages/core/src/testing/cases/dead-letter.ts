import { deepEqual, equal, match, ok } from 'node:assert/strict'
import { defineEvent } from '../../definition.ts'
import { UnrecoverableError } from '../../errors.ts'
import { on } from '../../handler.ts'
import type { ParkedMessage } from '../../parked.ts'
import { retryPolicy } from '../../retry.ts'
import type { Bus } from '../../bus.ts'
import type { Capabilities } from '../../capabilities.ts'
import type { WireHeaders } from '../../wire-message.ts'
import { anything } from '../anything.ts'
import type { CaseContext } from '../case-context.ts'
import { contentOf } from '../content.ts'
import { headersOf, sample } from '../sample.ts'
import type { SuiteCase } from '../suite-case.ts'

const TRIES = 3
const threeTries = retryPolicy({ inProcess: { tries: TRIES, firstMs: 10, maxMs: 20 }, roundsMs: [] })

/** A topic's event and a message for it as any sender may have written it. */
export function parkable(context: CaseContext, label = 'doomed') {
  const destination = context.topic(label)
  const event = defineEvent(context.name(label), { schema: anything<{ number: number }>(), destination })
  const message = (number: number, { binaryHeaders }: Capabilities = {}) =>
    sample(destination, number, {
      type: event.type,
      correlationId: `correlation-${number}`,
      headers: headersOf({
        'Tone-Grün': 'empty, next 😀',
        empty: '',
        ...(binaryHeaders && { bytes: Uint8Array.from({ length: 256 }, (_, byte) => byte) }),
      }),
    })
  return { event, message }
}

export async function listed(bus: Bus, service: string): Promise<ParkedMessage[]> {
  const all: ParkedMessage[] = []
  for await (const each of bus.parked.list({ service })) all.push(each)
  return all
}

export const deadLetter: SuiteCase = {
  id: '41',
  title: 'after its last try a message is a dead letter: whole, with its story, and handled once when replayed',
  async run(context) {
    const { event, message } = parkable(context)
    const service = context.name('gives-up')
    const [bus, again] = await context.buses(2)
    const sender = await context.client()
    const doomed = message(7, sender.capabilities)
    let tries = 0
    const startMs = Date.now()
    const running = await bus!.subscribe(
      service,
      [
        on(event, () => {
          tries += 1
          context.wake()
          throw new RangeError(`failure ${tries}, as planned: ${'long '.repeat(1_000)}`)
        }),
      ],
      { retry: threeTries },
    )
    await Promise.all(sender.publish([doomed]))
    let parked: readonly ParkedMessage[] = []
    await context.eventually(async () => (parked = await listed(bus!, service)).length > 0, 'the dead letter')
    equal(tries, TRIES, `tries of a message that a policy gives ${TRIES}`)
    equal(parked.length, 1, 'dead letters of one message')
    const [letter] = parked as [ParkedMessage]
    equal(letter.message.id, doomed.id, 'the id of the dead letter')
    equal(contentOf(letter.message), contentOf(doomed), 'the content of the dead letter')
    deepEqual(
      { kind: letter.message.destination.kind, name: letter.message.destination.name },
      { kind: 'topic', name: doomed.destination.name },
      'where the dead letter was sent',
    )
    equal(letter.attempts, TRIES, 'attempts of the dead letter')
    equal(letter.service, service, 'the service of the dead letter')
    match(letter.reason, /RangeError: failure 3, as planned/, 'the reason: kind and text of the last error')
    const reasonBytes = Buffer.byteLength(letter.reason)
    ok(reasonBytes <= 1_024, `the reason has ${reasonBytes} bytes, at most 1024 fit every broker`)
    checkTimes(letter, startMs)

    await running.stop()
    if (context.capabilities().deadLetter !== true) return void context.leftOut.push('replay: the list is the suite’s')
    let handled = 0
    await again!.subscribe(service, [
      on(event, ({ number }, { message: { id }, attempt }) => {
        handled += 1
        context.wake()
        if (number !== 7 || id !== doomed.id) context.broken(`replay brought ${id} with number ${number}`)
        if (attempt !== 1) context.broken(`the replayed message came with attempt ${attempt}`)
      }),
    ])
    await context.pause(context.options.quietMs)
    equal(handled, 0, 'times that a dead letter came again before it was replayed')
    await Promise.all(again!.parked.replay([letter.handle]))
    await context.until(() => handled > 0, 'the replayed message')
    await context.pause(context.options.quietMs)
    equal(handled, 1, 'times that the replayed message was handled')
    deepEqual(await listed(again!, service), [], 'dead letters after the replay')
    context.judge()
  },
}

export const hopelessMessages: SuiteCase = {
  id: '42',
  title: 'what no retry can help is a dead letter at the first attempt, also bytes that nobody can read',
  async run(context) {
    const { event, message } = parkable(context)
    const service = context.name('hopeless')
    const [bus] = await context.buses(1)
    const sender = await context.client()
    let calls = 0
    await bus!.subscribe(service, [
      on(event, () => {
        calls += 1
        throw new UnrecoverableError('as planned')
      }),
    ])
    const permanent = message(1, sender.capabilities)
    const unreadable = { ...message(2, sender.capabilities), body: Uint8Array.of(0xff, 0xfe, 0x00, 0x7b, 0x22) }
    await Promise.all(sender.publish([permanent, unreadable]))
    let parked: readonly ParkedMessage[] = []
    await context.eventually(async () => (parked = await listed(bus!, service)).length === 2, 'two dead letters')
    equal(calls, 1, 'calls of the handler: one for the permanent error, none for what can not be read')
    for (const sent of [permanent, unreadable]) {
      const letter = parked.find((each) => each.message.id === sent.id)
      equal(contentOf(letter!.message), contentOf(sent), 'the content of the dead letter')
      equal(letter!.attempts, 1, 'attempts of the dead letter')
      ok(letter!.reason.length > 0, 'a dead letter has a reason')
    }
    ok(!parked.some(({ reason }) => reason.includes('\ufffd')), 'a reason does not show the bytes')
  },
}

function checkTimes({ message: { headers }, parkedAtMs }: ParkedMessage, startMs: number): void {
  const [first, last] = ['waybill-first-failed-at', 'waybill-last-failed-at'].map((name) =>
    Date.parse(text(headers, name)),
  )
  // the broker's clock is not this one
  const fitting = first! >= startMs - 1_000 && last! >= first! && Math.abs(parkedAtMs - last!) < 60_000
  ok(
    fitting,
    `times of the dead letter: first failed ${first}, last ${last}, parked ${parkedAtMs}, sent after ${startMs}`,
  )
}

function text(headers: WireHeaders, name: string): string {
  const value = headers[name]
  return typeof value === 'string' ? value : new TextDecoder().decode(value)
}

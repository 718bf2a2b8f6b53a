import { equal } from 'node:assert/strict'
import { publishFault } from '../../errors.ts'
import type { WireMessage } from '../../wire-message.ts'
import { codeOf, failureOf } from '../errors-of.ts'
import { contentOf } from '../content.ts'
import { headersOf, sample } from '../sample.ts'
import type { SuiteCase } from '../suite-case.ts'

const allBytes = Uint8Array.from({ length: 256 }, (_, value) => value)
const MEBIBYTE = 1024 * 1024

export const untouched: SuiteCase = {
  id: '17',
  title: 'what a handler does to a message is not seen by the next attempt or another service',
  async run(context) {
    const [sender, receiver, other] = await context.clients(3)
    const destination = context.topic()
    const names = [context.name('spoils'), context.name('beside')]
    const seen: string[] = []
    const message = sample(destination, 1, { headers: headersOf({ tone: 'low' }) })
    const original = contentOf(message)
    for (const [index, service] of names.entries()) {
      let tries = 0
      await context.read({
        transport: index === 0 ? receiver! : other!,
        service,
        from: [destination],
        handle: ({ message: given }) => {
          seen.push(contentOf(given))
          spoil(given)
          tries += 1
          return { outcome: tries === 1 ? 'release' : 'ack' }
        },
      })
    }
    await context.publish(sender!, [message], names)
    await context.until(() => seen.length >= 4, 'two attempts at each of two services')
    for (const content of seen) equal(content, original, 'the message as it was delivered')
    equal(contentOf(message), original, 'the message that was given to publish')
  },
}

/** Frozen is a fine answer too. */
function spoil({ headers, body }: WireMessage): void {
  try {
    const open = headers as Record<string, string | Uint8Array>
    open.tone = 'spoilt'
    open.added = 'spoilt'
  } catch {
    // frozen
  }
  body?.fill(0)
}

export const headerRoundTrip: SuiteCase = {
  id: '18',
  title: 'headers arrive with the same names, types and bytes',
  async run(context) {
    const [sender, receiver] = await context.clients(2)
    const { binaryHeaders, maxHeaderBytes = Infinity } = sender!.capabilities
    const destination = context.topic()
    const service = context.name('headers')
    await context.read({ transport: receiver!, service, from: [destination] })
    const bags: Record<string, string | Uint8Array>[] = [
      { empty: '', one: '1', Case: 'kept', 'dash-and.dot': 'x', numeric: '007', truth: 'true', nothing: 'null' },
      { unicode: 'žluťoučký кон 馬 🐎', 'имя-🐎': 'unicode name', space: ' kept ', lines: 'a\nb' },
      Object.fromEntries(Array.from({ length: 100 }, (_, index) => [`header-${index}`, `value ${index}`])),
      Object.fromEntries([
        ['__proto__', 'own'],
        ['constructor', 'own'],
        ['toString', 'own'],
      ]),
    ]
    if (binaryHeaders) bags.push({ binary: allBytes, 'no-bytes': new Uint8Array() })
    else context.leftOut.push('binary headers: not declared')
    if (maxHeaderBytes >= 9_000) bags.push({ long: 'l'.repeat(8_192) })
    else context.leftOut.push('a header of 8 KiB: more than maxHeaderBytes')
    const messages = bags.map((bag, number) => sample(destination, number, { headers: ownHeaders(bag) }))
    await context.publish(sender!, messages, [service])
    await context.finish()
  },
}

/** `Object.assign` would set the prototype where a header is named `__proto__`. */
function ownHeaders(bag: Record<string, string | Uint8Array>): WireMessage['headers'] {
  const headers = headersOf({})
  for (const [name, value] of Object.entries(bag)) Object.defineProperty(headers, name, { value, enumerable: true })
  return headers
}

export const bodyRoundTrip: SuiteCase = {
  id: '20',
  title: 'bodies arrive byte for byte, from none to the limit; what is over the limit is refused for good',
  async run(context) {
    const [sender, receiver] = await context.clients(2)
    const { maxBodyBytes } = sender!.capabilities
    const destination = context.topic()
    const service = context.name('bodies')
    await context.read({ transport: receiver!, service, from: [destination], maxOpen: 4 })
    const big = Math.min(MEBIBYTE + 1, maxBodyBytes ?? Infinity)
    const bodies = [new Uint8Array(), Uint8Array.of(0), allBytes, Uint8Array.of(0xc3, 0x28, 0xff, 0xfe)]
    bodies.push(new Uint8Array(big).map((_, index) => index % 251))
    const message = (body: Uint8Array, number: number) =>
      sample(destination, number, { body, contentType: 'application/octet-stream' })
    await context.publish(sender!, bodies.map(message), [service])
    await context.finish()
    if (maxBodyBytes === undefined || maxBodyBytes > 64 * MEBIBYTE) {
      context.leftOut.push('a body over the limit: no limit up to 64 MiB')
      return
    }
    const [promise] = sender!.publish([message(new Uint8Array(maxBodyBytes + 1), 99)])
    const refusal = await failureOf(promise!)
    equal(codeOf(refusal), 'PUBLISH', `publish of a body over maxBodyBytes: ${String(refusal)}`)
    const { scope, retryable } = publishFault(refusal)
    equal(`${scope}, retryable: ${retryable}`, 'message, retryable: false', 'the fault of a body over maxBodyBytes')
    await context.publish(sender!, [message(allBytes, 100)], [service])
    await context.finish()
  },
}

export const nullBody: SuiteCase = {
  id: '21',
  title: 'a message without a body stays different from one with an empty body',
  lacks: ({ capabilities }) => (capabilities.nullBody ? undefined : 'nullBody'),
  async run(context) {
    const [sender, receiver] = await context.clients(2)
    const destination = context.topic()
    const service = context.name('tombstones')
    await context.read({ transport: receiver!, service, from: [destination] })
    const bodies = [null, new Uint8Array()]
    const messages = bodies.map((body, number) => sample(destination, number, { body, orderingKey: `key-${number}` }))
    await context.publish(sender!, messages, [service])
    await context.finish()
  },
}

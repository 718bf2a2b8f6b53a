import fc from 'fast-check'
import { afterEach, describe, expect, it } from 'vitest'
import { z } from 'zod'
import { json, jsonCodec } from './codec.ts'
import { createBus } from './create-bus.ts'
import { defineCommand, defineEvent, defineRequest } from './definition.ts'
import { on, respond } from './handler.ts'
import { memory } from './memory/index.ts'
import { decode, encode, messageInfo, type SendOptions } from './message.ts'
import type { ParkedMessage } from './parked.ts'
import { systemPorts } from './ports.ts'
import { shared } from './shared.ts'
import { headersOf, sample } from './testing/sample.ts'
import { manualTime } from './testing/manual-time.ts'
import type { WireMessage } from './wire-message.ts'

/** Stands in every payload; nobody may tell it. */
const MARKER = 'MARKER-7f3a'
const utf8 = (text: string) => new TextEncoder().encode(text)
const topic = { kind: 'topic', name: 'any' } as const

const Any = defineEvent('any', { schema: z.unknown() })
const Counted = defineEvent('counted', { schema: z.object({ n: z.number(), text: z.string() }), destination: topic })

const open: AsyncDisposable[] = []
afterEach(async () => {
  for (const one of open.splice(0)) await one[Symbol.asyncDispose]()
})

async function start() {
  const time = manualTime()
  const transport = memory({ ports: time.ports })
  const lines: string[] = []
  const log = (...line: unknown[]) => void lines.push(JSON.stringify(line))
  const bus = createBus({
    transport: shared(transport),
    source: '/test',
    ports: time.ports,
    logger: { debug: log, info: log, warn: log, error: log },
  })
  open.push(bus, transport)
  const seen: unknown[] = []
  await bus.subscribe('s', [on(Any, (data) => void seen.push(data)), on(Counted, (data) => void seen.push(data))])
  const raw = (extra: Partial<WireMessage>) =>
    Promise.all(transport.publish([sample(topic, 1, { type: 'any', ...extra })]))
  const parked = async () => {
    const all: ParkedMessage[] = []
    for await (const item of bus.parked.list()) all.push(item)
    return all
  }
  /** The service works on, and nobody told the payload. */
  const alive = async () => {
    seen.length = 0
    await bus.publish(Any, 'still here')
    await time.settle()
    expect(seen).toEqual(['still here'])
    expect(lines.join('\n')).not.toContain(MARKER)
  }
  return { time, bus, transport, seen, raw, parked, alive }
}

describe('a body that', () => {
  const deep = (open: string, close: string) => utf8(`${open.repeat(100_000)}"${MARKER}"${close.repeat(100_000)}`)
  it.each<[string, Partial<WireMessage>, RegExp]>([
    ['is no JSON', { body: utf8(`{"secret":"${MARKER}`) }, /^CodecError: body of \d+ bytes is not JSON/],
    ['is two values', { body: utf8(`{} "${MARKER}"`) }, /^CodecError/],
    ['is empty', { body: new Uint8Array() }, /^CodecError: body of 0 bytes/],
    ['has a bare NUL', { body: utf8(`"\u0000${MARKER}"`) }, /^CodecError/],
    ['is no UTF-8', { body: Uint8Array.of(0x22, 0xc3, 0x28, ...utf8(MARKER), 0x22) }, /^CodecError/],
    ['is nested 100,000 deep in arrays', { body: deep('[', ']') }, /^CodecError: JSON is nested deeper than 1000/],
    ['is nested 100,000 deep in objects', { body: deep('{"a":', '}') }, /^CodecError: JSON is nested deeper than 1000/],
    ['is nested and never ends', { body: utf8('['.repeat(100_000)) }, /^CodecError/],
    [
      'is over 16 MiB',
      { body: new Uint8Array(16 * 1024 * 1024 + 1).fill(0x20) },
      /^CodecError: body of 16777217 bytes/,
    ],
    ['is missing', { body: null }, /^ValidationError: "any" came without a body/],
    ['says to be something else', { contentType: 'avro/binary', body: utf8(MARKER) }, /^CodecError: .*avro\/binary/],
    [
      'does not fit',
      { type: 'counted', body: utf8(JSON.stringify({ n: MARKER, text: 5 })) },
      /^ValidationError: .*n: .*text: /,
    ],
  ])('%s is a dead letter at once, with its bytes and a reason', async (_, extra, reason) => {
    const { time, raw, parked, alive } = await start()
    await raw(extra)
    await time.settle()
    const [item, ...others] = await parked()
    expect(others).toEqual([])
    expect(item!.reason).toMatch(reason)
    expect(item!.reason).not.toContain(MARKER)
    expect(item!.attempts).toBe(1)
    expect(Buffer.compare(item!.message.body ?? utf8('none'), extra.body ?? utf8('none'))).toBe(0)
    await alive()
  })

  it('plays with prototypes changes nothing', async () => {
    const { time, seen, raw, alive } = await start()
    const names = ['"__proto__":{"polluted":1}', '"constructor":{"prototype":{"polluted":1}}', '"toString":1']
    const inner = `{${names.join()}}`
    await raw({ body: utf8(`{${names.join()},"inner":${inner},"list":[${inner}]}`) })
    await time.settle()
    expect(seen).toHaveLength(1)
    const data = seen[0] as { list: object[] }
    expect(Object.getPrototypeOf(data)).toBe(Object.prototype)
    expect(Object.getPrototypeOf(data.list[0])).toBe(Object.prototype)
    expect(Object.hasOwn(data, '__proto__')).toBe(true)
    expect(({} as { polluted?: unknown }).polluted).toBeUndefined()
    await alive()
  })

  it('names a field twice is read as the last says, and brackets in text are no nesting', async () => {
    const { time, seen, raw } = await start()
    const brackets = `${'[{'.repeat(50_000)}\\"\\\\`
    await raw({ body: utf8(`{"a":1,"a":"${brackets}"}`) })
    await time.settle()
    expect(seen).toEqual([{ a: `${'[{'.repeat(50_000)}"\\` }])
  })
})

describe('a message from outside', () => {
  it.each(['constructor', '__proto__', 'toString', 'hasOwnProperty', 'any.v2', 'any.v1'])(
    'of the type %j finds no handler, waits, and is a dead letter',
    async (type) => {
      const { time, seen, raw, parked, alive } = await start()
      await raw({ type, body: utf8(`"${MARKER}"`) })
      await time.advance(620_000)
      expect(seen).toEqual([])
      expect(await parked()).toMatchObject([{ reason: expect.stringContaining(`unknown type "${type}"`) as string }])
      await alive()
    },
  )

  it('may have any headers: large, many, or named like our own', async () => {
    const { time, seen, raw, alive } = await start()
    const bags = [
      { large: MARKER.repeat(1_000_000) },
      Object.fromEntries(Array.from({ length: 100_000 }, (_, index) => [`h${index}`, MARKER])),
      { 'waybill-failures': '999999999999999', 'waybill-rounds': '-1', 'waybill-first-failed-at': MARKER },
      { 'waybill-unknown-since': Uint8Array.of(0xff), traceparent: '\u0000' },
    ]
    for (const headers of bags) await raw({ headers: headersOf(headers), body: utf8('1') })
    await time.settle()
    expect(seen).toHaveLength(bags.length)
    await alive()
  })

  it.each(['s', 'bank', 'topic/any', '../reply-1', '__proto__', 'reply-1\r\n', 'reply-999', ''])(
    'that wants its answer at %j makes us write to nobody, and the next is answered',
    async (replyTo) => {
      const { time, bus, transport, parked, alive } = await start()
      const Ask = defineRequest('ask', { schema: z.string(), reply: z.string() })
      const Bank = defineCommand('bank', { schema: z.unknown() })
      const money: unknown[] = []
      await bus.subscribe('bank', [on(Bank, (data) => void money.push(data))])
      await bus.subscribe('answers', [respond(Ask, (text) => text)])
      const message = sample({ kind: 'queue', name: 'ask' }, 1, { type: 'ask', body: utf8(`"${MARKER}"`), replyTo })
      await Promise.all(transport.publish([message]))
      await time.settle()
      expect(money).toEqual([])
      expect(await parked()).toEqual([])
      const answer = bus.request(Ask, 'hello', { timeoutMs: 1_000 })
      await time.settle()
      expect(await answer).toBe('hello')
      await alive()
    },
  )
})

describe('a publish', () => {
  const circle: Record<string, unknown> = { [MARKER]: MARKER }
  circle.again = circle
  const nested = (levels: number): unknown => {
    let data: unknown = MARKER
    for (let level = 0; level < levels; level++) data = [data]
    return data
  }
  const throwing = {
    toJSON() {
      throw new Error(MARKER)
    },
  }
  it.each<[string, unknown]>([
    ['a circle', circle],
    ['a BigInt', { [MARKER]: 1n }],
    ['a function', () => MARKER],
    ['what throws when it is written', throwing],
    ['100,000 arrays in one another', nested(100_000)],
    ['1,001 arrays in one another', nested(1_001)],
    ['17 MiB', MARKER.repeat(17 * 1024 * 100)],
  ])('of %s is refused with a CodecError', async (_, data) => {
    const { bus, alive } = await start()
    const error: unknown = await bus.publish(Any, data).catch((thrown: unknown) => thrown)
    expect(error).toMatchObject({ code: 'CODEC', retryable: false })
    const { message, cause } = error as Error
    expect(`${message} ${String(cause)}`).not.toContain(MARKER)
    await alive()
  })

  const header = (name: string, value: unknown = MARKER): SendOptions => ({
    headers: headersOf({ [name]: value as string }),
  })
  it.each<[string, SendOptions]>([
    ...[
      'ce_id',
      'ce-type',
      'CE-Source',
      'cloudEvents:id',
      'cloudEvents_id',
      'waybill-failures',
      'x-death',
      'grpc-timeout',
    ]
      .concat('x-delivery-count', 'content-type', 'Content-Type', ':authority', '')
      .map((name): [string, SendOptions] => [`the header ${JSON.stringify(name)}`, header(name)]),
    ['CR LF in a header name', header('a\r\nb')],
    ['NUL in a header name', header('a\u0000b')],
    ['CR in a header', header('a', `x\r${MARKER}`)],
    ['LF in a header', header('a', `x\n${MARKER}`)],
    ['NUL in a header', header('a', `x\u0000${MARKER}`)],
    ['a number as header', header('a', 5)],
    ['10 MB of headers', header('a', MARKER.repeat(1_000_000))],
    ['10 MB of header names', header('n'.repeat(10_000_000))],
    ['an empty id', { id: '' }],
    ['an id of 256 bytes', { id: 'é'.repeat(128) }],
    ['an id of two lines', { id: `1\n${MARKER}` }],
    ['a correlation id of two lines', { correlationId: `1\r\n${MARKER}` }],
    ['a causation id of 256 bytes', { causationId: 'x'.repeat(256) }],
    ['NUL in an ordering key', { orderingKey: `\u0000${MARKER}` }],
    ['two lines as dedupe key', { dedupeKey: `\n${MARKER}` }],
    ['no text as dedupe key', { dedupeKey: 5 as never }],
  ])('with %s is refused with a ConfigError', async (_, options) => {
    const { bus, alive } = await start()
    const error: unknown = await bus.publish(Any, 1, options).catch((thrown: unknown) => thrown)
    expect(error).toMatchObject({ code: 'CONFIG', retryable: false })
    expect((error as Error).message.length).toBeLessThan(300)
    expect(String(error)).not.toContain(MARKER)
    await alive()
  })

  it('with an id of 255 bytes, and headers whose names and bytes are odd, goes through', async () => {
    const { time, bus, seen } = await start()
    const names = ['__proto__', 'constructor', 'имя-🐎', 'Case', 'x-mine']
    const headers = headersOf({})
    for (const name of names) Object.defineProperty(headers, name, { value: 'own', enumerable: true })
    const bytes = Uint8Array.from({ length: 256 }, (_, value) => value)
    await bus.publish(Any, 1, { id: 'x'.repeat(255), headers: Object.assign(headers, { bytes }) })
    await time.settle()
    expect(seen).toEqual([1])
  })
})

describe('whatever comes', () => {
  const context = { source: '/tests', ports: systemPorts }

  it('any bytes are data or a CodecError', () => {
    const near = fc.json().map((text) => utf8(text))
    const cut = fc.tuple(near, fc.nat(40)).map(([bytes, at]) => bytes.subarray(0, at))
    fc.assert(
      fc.property(fc.oneof(fc.uint8Array({ maxLength: 200 }), near, cut), (body) => {
        try {
          decode(Any, sample(topic, 1, { type: 'any', body }))
        } catch (error) {
          expect(error).toMatchObject({ code: 'CODEC' })
          expect((error as Error).cause).toBeUndefined()
          expect((error as Error).message).toBe(`body of ${body.byteLength} bytes is not JSON in UTF-8`)
        }
      }),
      { numRuns: 2_000 },
    )
  })

  it('headers and data come back as they were given', () => {
    const name = fc
      .oneof(fc.string({ unit: 'grapheme', minLength: 1 }), fc.constantFrom('__proto__', 'constructor', 'X-Case'))
      .filter((text) => !/[\u0000-\u001f\u007f]|^:|^(ce[-_]|cloudevents|waybill-|grpc-|x-|content-type)/i.test(text))
    const value = fc.oneof(
      fc.string({ unit: 'grapheme' }).filter((text) => !/[\0\r\n]/.test(text)),
      fc.uint8Array(),
    )
    fc.assert(
      fc.property(fc.array(fc.tuple(name, value)), fc.jsonValue(), (entries, data) => {
        const headers = headersOf({})
        for (const [key, given] of entries) {
          Object.defineProperty(headers, key, { value: given, enumerable: true, configurable: true })
        }
        const message = encode(Any, data, { headers }, context) as WireMessage
        expect(decode(Any, message)).toEqual(JSON.parse(JSON.stringify(data)))
        expect(Object.entries(messageInfo(Any, message).headers)).toEqual(Object.entries(headers))
      }),
      { numRuns: 500 },
    )
  })

  it('the depth of JSON is measured as it is, whatever its strings hold', () => {
    const depthOf = (data: unknown): number =>
      typeof data !== 'object' || data === null ? 0 : 1 + Math.max(0, ...Object.values(data).map(depthOf))
    const text = fc.string({ unit: fc.constantFrom('[', ']', '{', '}', '"', '\\', 'a'), maxLength: 6 })
    const { tree } = fc.letrec((tie) => ({
      tree: fc.oneof(
        { maxDepth: 8, withCrossShrink: true },
        text,
        fc.array(tie('tree'), { maxLength: 3 }),
        fc.dictionary(text, tie('tree'), { maxKeys: 2 }),
      ),
    }))
    fc.assert(
      fc.property(tree, fc.integer({ min: 1, max: 6 }), (data, maxDepth) => {
        const limited = jsonCodec({ maxDepth })
        const body = json.encode(data)
        if (depthOf(data) > maxDepth) expect(() => limited.decode(body)).toThrow(/deeper/)
        else expect(limited.decode(body)).toEqual(JSON.parse(JSON.stringify(data)))
      }),
      { numRuns: 500 },
    )
  })

  it('limits of one’s own hold on both ways, and bad ones are refused', () => {
    const small = jsonCodec({ maxBodyBytes: 20, maxDepth: 2 })
    expect(small.decode(small.encode([[1]]))).toEqual([[1]])
    expect(() => small.encode([[[1]]])).toThrow(/deeper than 2/)
    expect(() => small.decode(utf8('[{"a":[1]}]'))).toThrow(/deeper than 2/)
    expect(() => small.encode('x'.repeat(19))).toThrow(/over maxBodyBytes 20/)
    expect(json.decode(json.encode('x'.repeat(19)))).toHaveLength(19)
    for (const limits of [{ maxBodyBytes: 0 }, { maxDepth: Number.NaN }]) {
      expect(() => jsonCodec(limits)).toThrow(expect.objectContaining({ code: 'CONFIG' }))
    }
  })
})

import { Client, credentials, status, type ServiceError } from '@grpc/grpc-js'
import { OverloadError, PublishError, RemoteError, UnrecoverableError, ValidationError } from '@waybill/core'
import { connect } from 'node:http2'
import { expect, test, vi } from 'vitest'
import { bidi, createChannel, loadService, serve } from './index.ts'
import { all, gate, link, next, proto, Talk, talk } from './fixtures/talk.ts'
import { z } from 'zod'

test('a generator answers each request in order and ends the stream when its client does', async () => {
  await using both = await talk(async function* (lines) {
    for await (const { text, number } of lines) yield { text: text.toUpperCase(), number }
  })
  const stream = both.channel.bidi(Talk, 'Speak')
  const sent = Array.from({ length: 200 }, (_, number) => ({ text: `line ${number}`, number }))
  const sending = (async () => {
    for (const line of sent) await stream.send(line)
    stream.end()
  })()
  const answers = await all(stream, ({ text, number }) => ({ text, number }))
  await sending
  expect(answers).toEqual(sent.map(({ text, number }) => ({ text: text.toUpperCase(), number })))
  expect(both.server.openStreams).toBe(0)
})

test('a push handler answers several requests at once, out of order', async () => {
  const slow = gate<void>()
  await using both = await talk(async (lines, call) => {
    const answers: Promise<void>[] = []
    for await (const line of lines) {
      answers.push((line.text === 'slow' ? slow.promise : Promise.resolve()).then(() => call.send(line)))
    }
    await Promise.all(answers)
  })
  const stream = both.channel.bidi(Talk, 'Speak')
  await stream.send({ text: 'slow' })
  await stream.send({ text: 'fast' })
  stream.end()
  const answers = stream[Symbol.asyncIterator]()
  expect((await next(answers)).text).toBe('fast')
  slow.open()
  expect((await next(answers)).text).toBe('slow')
  expect((await answers.next()).done).toBe(true)
})

test.each([
  ['an error of ours', new UnrecoverableError('no such room'), 'UNRECOVERABLE'],
  ['a plain error', new TypeError('broken é \ud800'), 'INTERNAL'],
])('a handler that throws %s gives its client a status with the text', async (_, error, remoteCode) => {
  await using both = await talk(async function* (lines) {
    for await (const _ of lines) throw error
  })
  for (let round = 0; round < 2; round++) {
    const stream = both.channel.bidi(Talk, 'Speak')
    await stream.send({ text: 'hello' })
    const failure = await all(stream).catch((caught: unknown) => caught)
    expect(failure).toBeInstanceOf(RemoteError)
    expect(failure).toMatchObject({ remoteCode, retryable: false })
    expect((failure as Error).message).toContain(error.message.slice(0, 6))
    await expect(stream.send({ text: 'again' })).rejects.toBe(failure)
  }
})

test("a client that cancels aborts the handler's signal, and a deadline does too", async () => {
  const reasons: unknown[] = []
  const arrived: (() => void)[] = []
  await using both = await talk(async (_, call) => {
    await call.send({ text: 'here' })
    await new Promise<void>((resolve) => call.signal.addEventListener('abort', () => resolve()))
    reasons.push(call.signal.reason)
    arrived.shift()!()
  })
  const aborted = new Promise<void>((resolve) => arrived.push(resolve))
  const controller = new AbortController()
  const stream = both.channel.bidi(Talk, 'Speak', { signal: controller.signal })
  const answers = stream[Symbol.asyncIterator]()
  await next(answers)
  controller.abort(new Error('enough'))
  await expect(answers.next()).rejects.toThrow('enough')
  await aborted

  const late = new Promise<void>((resolve) => arrived.push(resolve))
  const short = both.channel.bidi(Talk, 'Speak', { deadline: new Date(Date.now() + 200) })
  await expect(all(short)).rejects.toMatchObject({ code: 'TIMEOUT' })
  await late
  expect(reasons).toMatchObject([{ code: 'CONNECTION' }, { code: expect.stringMatching(/TIMEOUT|CONNECTION/) }])
})

test('a request that its schema refuses ends the stream, or goes to onInvalid and the stream stays open', async () => {
  const echo = async function* (lines: AsyncIterable<{ text: string }>) {
    for await (const { text } of lines) yield { text }
  }
  // Another form of the same service, whose schema lets through what the server's refuses.
  const any = z.any()
  const Loose = loadService({
    proto,
    service: 'fixtures.Talk',
    methods: { Speak: { request: any, response: any } },
  })
  await using strict = await talk(echo)
  const refused = strict.channel.bidi(Loose, 'Speak')
  await refused.send({ text: 'x'.repeat(101) })
  const failure = await all(refused).catch((caught: unknown) => caught)
  expect(failure).toBeInstanceOf(ValidationError)
  expect(failure).toMatchObject({ message: expect.stringContaining('text') })

  await using patient = await talk(echo, {
    onInvalid: (error, call, raw) => call.send({ text: `${error.code} ${(raw as { number: number }).number}` }),
  })
  const stream = patient.channel.bidi(Loose, 'Speak')
  await stream.send({ text: 'x'.repeat(101), number: 7 })
  await stream.send({ text: 'fine' })
  stream.end()
  expect(await all(stream, ({ text }: { text: string }) => text)).toEqual(['VALIDATION 7', 'fine'])
  const own = patient.channel.bidi(Talk, 'Speak')
  await expect(own.send({ text: 'x'.repeat(101) })).rejects.toBeInstanceOf(ValidationError)
  own.cancel()
})

test('unreadable bytes and frames too big end their stream alone, with a status', async () => {
  await using both = await talk(async function* (lines) {
    for await (const { text } of lines) yield { text }
  })
  const client = new Client(both.address, credentials.createInsecure())
  const asIs = (bytes: Buffer) => bytes
  const raw = (bytes: Buffer) =>
    new Promise<ServiceError>((resolve) => {
      const call = client.makeBidiStreamRequest('/fixtures.Talk/Speak', asIs, asIs)
      call.on('error', (error) => resolve(error as ServiceError)).on('data', () => {})
      call.write(bytes)
    })
  const healthy = both.channel.bidi(Talk, 'Speak')
  const answers = healthy[Symbol.asyncIterator]()
  await healthy.send({ text: 'before' })
  await next(answers)
  // Field 15 of wire type 7, which does not exist.
  expect((await raw(Buffer.from([0x7f, 0x01]))).code).toBe(status.INVALID_ARGUMENT)
  expect((await raw(Buffer.alloc(5 * 1_024 * 1_024))).code).toBe(status.RESOURCE_EXHAUSTED)
  client.close()
  expect(await rawFrame(both.address, Buffer.from([0, 0xff, 0xff, 0xff, 0xff, 1, 2, 3]))).toBe('8')
  await healthy.send({ text: 'after' })
  expect((await next(answers)).text).toBe('after')
})

/** What a hand-made HTTP/2 request gets as `grpc-status`. */
async function rawFrame(address: string, frame: Buffer): Promise<unknown> {
  const session = connect(`http://${address}`)
  const headers = { ':method': 'POST', ':path': '/fixtures.Talk/Speak', 'content-type': 'application/grpc' }
  const request = session.request({ ...headers, te: 'trailers' })
  request.write(frame)
  const grpcStatus = await new Promise((resolve) => {
    for (const event of ['response', 'trailers'] as const) {
      request.on(event, (got: Record<string, unknown>) => got['grpc-status'] && resolve(got['grpc-status']))
    }
  })
  session.destroy()
  return grpcStatus
}

test('a message over the limit is refused where it is sent, and the stream stays open', async () => {
  await using both = await talk(
    async function* (lines) {
      for await (const { text } of lines) yield { text }
    },
    { client: { maxMessageBytes: 1_000 }, server: { maxMessageBytes: 500 } },
  )
  const stream = both.channel.bidi(Talk, 'Speak')
  const answers = stream[Symbol.asyncIterator]()
  await expect(stream.send({ text: '', filler: new Uint8Array(1_001) })).rejects.toBeInstanceOf(PublishError)
  await stream.send({ text: 'small' })
  expect((await next(answers)).text).toBe('small')
  // The server takes less than the client sends: the same message must not be tried again.
  await stream.send({ text: '', filler: new Uint8Array(600) })
  await expect(answers.next()).rejects.toMatchObject({ code: 'PUBLISH', retryable: false })
})

test('a slow reader holds the sender, both ways, and loses nothing', async () => {
  const filler = new Uint8Array(64 * 1_024)
  const total = 400
  let served = 0
  await using both = await talk(async (lines, call) => {
    for (let number = 0; number < total; number++) {
      await call.send({ text: '', number, filler })
      served++
    }
    let seen = 0
    for await (const { number } of lines) seen += number
    await call.send({ text: 'sum', number: seen })
  })
  const stream = both.channel.bidi(Talk, 'Speak')
  let sent = 0
  const sending = (async () => {
    for (; sent < total; sent++) await stream.send({ text: '', number: 1, filler })
    stream.end()
  })()
  // Both senders stand still: as much as at the look before.
  let before = 0
  await vi.waitFor(
    () => {
      const now = served + sent
      const stood = now === before && now > 0
      before = now
      expect(stood).toBe(true)
    },
    { interval: 100, timeout: 10_000 },
  )
  // 16 messages in each of four buffers, and what fits the connection's window.
  expect(served).toBeLessThan(100)
  expect(sent).toBeLessThan(100)
  const numbers = await all(stream, ({ text, number }) => (text === 'sum' ? -number : number))
  await sending
  expect(numbers).toEqual([...Array.from({ length: total }, (_, number) => number), -total])
})

test('sends that nobody awaits are bounded', async () => {
  const failed = gate<unknown>()
  await using both = await talk(
    async (_, call) => {
      const filler = new Uint8Array(64 * 1_024)
      const sends = Array.from({ length: 500 }, (_, number) => call.send({ text: '', number, filler }))
      const results = Promise.allSettled(sends)
      failed.open(
        (await Promise.any(
          sends.map((send) =>
            send.then(
              () => Promise.reject(new Error()),
              (e) => e,
            ),
          ),
        )) as unknown,
      )
      await results
    },
    { server: { maxPendingSends: 50 } },
  )
  const stream = both.channel.bidi(Talk, 'Speak')
  await stream.send({ text: 'go' })
  expect(await failed.promise).toBeInstanceOf(OverloadError)
  expect((await all(stream)).length).toBeLessThan(60)
})

test('a dropped stream is opened again and resumed; what was answered is not asked again', async () => {
  let opened = 0
  await using both = await talk(async function* (lines) {
    opened++
    for await (const line of lines) yield line
  })
  await using way = await link(both.server.port)
  using channel = createChannel({ address: way.address })
  const unanswered = new Map<string, { text: string }>()
  const drops: string[] = []
  const stream = channel.resuming(Talk, 'Speak', {
    firstMs: 10,
    resume: async ({ send }) => {
      for (const line of unanswered.values()) await send(line)
    },
    onDrop: (error) => drops.push((error as { code?: string }).code ?? ''),
  })
  const texts = ['a', 'b', 'c', 'd']
  for (const text of texts) unanswered.set(text, { text })
  const seen: string[] = []
  for await (const { text } of stream) {
    unanswered.delete(text)
    seen.push(text)
    if (text === 'b') way.cut()
    if (unanswered.size === 0) stream.end()
  }
  expect([...new Set(seen)]).toEqual(texts)
  expect(drops.every((code) => code === 'CONNECTION')).toBe(true)
  expect(opened).toBeGreaterThanOrEqual(2)
})

test('an error that another try can not mend is not retried', async () => {
  let opened = 0
  await using both = await talk(async () => {
    opened++
    throw new UnrecoverableError('never')
  })
  const stream = both.channel.resuming(Talk, 'Speak', { resume: ({ send }) => send({ text: 'a' }) })
  await expect(all(stream)).rejects.toThrow('never')
  expect(opened).toBe(1)
})

test('a link that went silent is noticed by keepalive', async () => {
  await using both = await talk(async function* (lines) {
    for await (const line of lines) yield line
  })
  await using way = await link(both.server.port)
  using channel = createChannel({ address: way.address, keepaliveMs: 150, keepaliveTimeoutMs: 150 })
  const stream = channel.bidi(Talk, 'Speak')
  const answers = stream[Symbol.asyncIterator]()
  await stream.send({ text: 'here' })
  await next(answers)
  way.goSilent()
  await expect(answers.next()).rejects.toMatchObject({ code: 'CONNECTION', retryable: true })
})

test('stop lets handlers finish, sends clients elsewhere, and cuts what does not end', async () => {
  const begun = gate<void>()
  const finish = gate<void>()
  const both = await talk(async (lines, call) => {
    for await (const { text } of lines) {
      begun.open()
      if (text === 'hang') await new Promise(() => {})
      await finish.promise
      await call.send({ text: 'finished' })
    }
  })
  const stream = both.channel.bidi(Talk, 'Speak')
  const hanging = both.channel.bidi(Talk, 'Speak')
  await stream.send({ text: 'work' })
  await hanging.send({ text: 'hang' })
  await begun.promise
  const stopping = both.server.stop({ drainTimeoutMs: 300 })
  finish.open()
  const answers = stream[Symbol.asyncIterator]()
  expect((await next(answers)).text).toBe('finished')
  await expect(answers.next()).rejects.toMatchObject({ code: 'CONNECTION' })
  await expect(all(hanging)).rejects.toMatchObject({ code: 'CONNECTION' })
  await stopping
  await expect(all(both.channel.bidi(Talk, 'Speak'))).rejects.toMatchObject({ code: 'CONNECTION' })
  both.channel.close()
  expect(() => both.channel.bidi(Talk, 'Speak')).toThrow('closed')
})

test('mistakes are told at construction', async () => {
  const line = z.any()
  const load = (service: string, method: string) => () =>
    loadService({ proto, service, methods: { [method]: { request: line, response: line } } })
  expect(load('Talk', 'Speak')).toThrow('give its name with its package')
  expect(load('fixtures.Talk', 'Shout')).toThrow('method "Shout" is not in')
  expect(load('fixtures.Talk', 'Once')).toThrow('does not stream both ways')
  const route = bidi(Talk, 'Speak', async () => {})
  await expect(serve({ address: '127.0.0.1:0', services: [route, route] })).rejects.toThrow('two handlers')
  await expect(serve({ address: '127.0.0.1:0', services: [route], maxMessageBytes: 0 })).rejects.toThrow(
    'maxMessageBytes is 0: give a whole number from 1',
  )
  await using first = await serve({ address: '127.0.0.1:0', services: [route] })
  await expect(serve({ address: `127.0.0.1:${first.port}`, services: [route] })).rejects.toMatchObject({
    code: 'CONNECTION',
  })
})

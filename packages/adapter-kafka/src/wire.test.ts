import type { WireMessage } from '@waybill/core'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { copyWith, fromRecord, sizeOf, sizeToSend, toRecord, type KafkaRecord, type ReceivedRecord } from './wire.ts'

const text = fc.string({ unit: 'grapheme', maxLength: 30 })
const bytes = fc.uint8Array({ maxLength: 60 })
const attributeName = fc
  .stringMatching(/^[a-z0-9]{1,20}$/)
  .filter((name) => !['id', 'type', 'specversion', 'datacontenttype'].includes(name))
const headerName = fc
  .oneof(text, fc.constantFrom('__proto__', 'constructor', 'traceparent', 'waybill-failures'))
  .filter((name) => name !== '' && !name.startsWith('ce_') && name !== 'content-type')
const bag = <T>(entries: readonly (readonly [string, T])[]) =>
  entries.reduce(
    (all, [name, value]) => Object.assign(all, { [name]: value }),
    Object.create(null) as Record<string, T>,
  )

const anyMessage: fc.Arbitrary<WireMessage> = fc.record(
  {
    id: text,
    type: text,
    destination: fc.record({ kind: fc.constant('topic' as const), name: fc.constant('rentals') }),
    contentType: text,
    body: fc.option(bytes, { nil: null }),
    attributes: fc.array(fc.tuple(attributeName, text), { maxLength: 5 }).map(bag),
    headers: fc.array(fc.tuple(headerName, fc.oneof(text, bytes)), { maxLength: 8 }).map(bag),
    orderingKey: text,
    correlationId: text,
    replyTo: text,
    expiresAtMs: fc.nat(),
  },
  { requiredKeys: ['id', 'type', 'destination', 'contentType', 'body', 'attributes', 'headers'] },
)

/** As a consumer gets it: all of it bytes. */
function received({ key, value, headers }: KafkaRecord): ReceivedRecord {
  const bytes = Object.entries(headers).map(([name, header]) => [name, Buffer.from(header)] as const)
  return { key: key === null ? null : Buffer.from(key), value, headers: bag(bytes) }
}

/** Buffers and byte arrays alike, so that a text that came back as bytes is seen. */
const plain = (message: WireMessage) => ({
  ...message,
  body: message.body === null ? null : Buffer.from(message.body).toString('hex'),
  attributes: Object.entries(message.attributes).sort(),
  headers: Object.entries(message.headers)
    .map(([name, value]) => [name, typeof value === 'string' ? value : { hex: Buffer.from(value).toString('hex') }])
    .sort(),
})

test('what is written is read back: types of headers, null body, empty values and all', () => {
  fc.assert(
    fc.property(anyMessage, (message) => {
      expect(plain(fromRecord(received(toRecord(message)), message.destination))).toEqual(plain(message))
    }),
    { numRuns: 300 },
  )
})

test('a plain record of a foreign producer has neither id nor type, and its bytes', () => {
  const record = { key: Buffer.from('k'), value: Buffer.from('{"a":1}'), headers: { trace: Buffer.from('x') } }
  const message = fromRecord(record, { kind: 'topic', name: 'foreign' })
  expect(message).toMatchObject({ id: '', type: '', contentType: '', orderingKey: 'k', attributes: {} })
  expect(Buffer.from(message.body!).toString()).toBe('{"a":1}')
  expect(message.headers.trace).toBe('x')
})

test('CloudEvents readers find their headers', () => {
  const { headers, key } = toRecord({
    id: '1',
    type: 'rental.booked',
    destination: { kind: 'topic', name: 'rentals' },
    contentType: 'application/json',
    body: Buffer.from('{}'),
    attributes: { source: '/rentals', time: '2026-01-01T00:00:00Z' },
    headers: { traceparent: '00-1-2-01' },
    orderingKey: 'r-1',
  })
  expect(key?.toString()).toBe('r-1')
  expect(Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, value.toString()]))).toEqual({
    ce_specversion: '1.0',
    ce_id: '1',
    ce_type: 'rental.booked',
    ce_source: '/rentals',
    ce_time: '2026-01-01T00:00:00Z',
    'content-type': 'application/json',
    traceparent: '00-1-2-01',
  })
})

test('the last of repeated header names wins, also where the client starts the list with an inherited property', () => {
  const headers = { twice: [Buffer.from('1'), Buffer.from('2')], constructor: [Object, Buffer.from('c')] as never }
  const message = fromRecord({ value: null, headers }, { kind: 'topic', name: 't' })
  expect([message.headers.twice, message.headers.constructor]).toEqual(['2', 'c'])
})

test('a reserved header is refused, since it would forge an attribute', () => {
  const message = {
    id: '1',
    type: 't',
    destination: { kind: 'topic', name: 't' },
    contentType: '',
    body: null,
  } as const
  for (const name of ['ce_id', 'content-type', 'waybill-reply-to']) {
    expect(() => toRecord({ ...message, attributes: {}, headers: { [name]: 'x' } })).toThrow(/reserved/)
  }
})

test('a dead letter keeps key, bytes and headers as the broker had them, and gains the notes', () => {
  const record = { key: Buffer.from([255]), value: Buffer.from([0, 254]), headers: { odd: Buffer.from([200]) } }
  const copy = copyWith(record, { 'waybill-reason': 'no', 'waybill-failures': '3' })
  expect(copy.key).toEqual(record.key)
  expect(copy.value).toEqual(record.value)
  expect(copy.headers.odd).toEqual(record.headers.odd)
  expect(copy.headers['waybill-reason']?.toString()).toBe('no')
})

test('a record takes the same room before it is sent and after', () => {
  fc.assert(fc.property(anyMessage, (message) => sizeToSend(toRecord(message)) === sizeOf(received(toRecord(message)))))
})

test('what is neither text nor bytes is refused on its own, not by the client with all of its batch', () => {
  for (const wrong of [undefined, null, 5, ['a']]) {
    expect(() => sizeToSend({ key: null, value: null, headers: { wrong: wrong as never } })).toThrow(TypeError)
  }
  expect(() => sizeToSend({ key: 5 as never, value: null, headers: {} })).toThrow(TypeError)
})

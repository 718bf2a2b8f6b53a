import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { WireMessage } from '@waybill/core'
import { OWN, copyProperties, read, write } from './wire.ts'

/** As the broker would hand it over: own names only, no prototype trick. */
function received(message: WireMessage, routingKey: string) {
  const { content, properties } = write(message, { exchange: 'rentals', routingKey, mandatory: false })
  return { fields: { exchange: 'rentals', routingKey }, properties, content }
}

const text = fc.string({ unit: 'binary', maxLength: 40 })
const headerName = fc
  .oneof(fc.constantFrom('__proto__', 'constructor', 'CC', 'BCC', 'X-Mixed-Case'), fc.string({ minLength: 1 }))

  .filter((name) => !/[\u0000-\u001f]/.test(name) && !/^(ce[_-]|cloudevents|waybill-|x-)/i.test(name))
const attributeName = fc.stringMatching(/^[a-z0-9]{1,20}$/).filter((name) => {
  return !['id', 'type', 'specversion', 'datacontenttype', 'partitionkey', 'expirytime', 'time'].includes(name)
})

const message = fc.record(
  {
    id: fc.string({ maxLength: 300 }),
    type: fc.stringMatching(/^[a-z.]{1,30}$/),
    destination: fc.constant({ kind: 'topic' as const, name: 'rentals', subject: 'eu.booked' }),
    contentType: fc.constantFrom('application/json', 'application/protobuf'),
    body: fc.option(fc.uint8Array({ maxLength: 200 }), { nil: null }),
    attributes: fc.dictionary(attributeName, text),
    headers: fc.dictionary(headerName, fc.oneof(text, fc.uint8Array({ maxLength: 30 }))),
    orderingKey: text,
    correlationId: fc.string({ maxLength: 60 }),
    replyTo: fc.string({ maxLength: 60 }),
    expiresAtMs: fc.integer({ min: 0, max: 4_000_000_000_000 }),
  },
  { requiredKeys: ['id', 'type', 'destination', 'contentType', 'body', 'attributes', 'headers'] },
)

describe('wire', () => {
  it('brings back what was written', () => {
    fc.assert(
      fc.property(message, (sent) => {
        const { attributes, headers, ...rest } = read(received(sent, 'eu.booked'))
        expect({ ...rest, attributes: { ...attributes } }).toEqual({ ...rest, ...sent, headers: undefined, attributes })
        expect(Object.entries(attributes).sort()).toEqual(Object.entries(sent.attributes).sort())
        expect(Object.entries(headers).sort()).toEqual(Object.entries(sent.headers).sort())
      }),
      { numRuns: 300 },
    )
  })

  it('understands plain JSON of a foreign producer, and reads no prototype that it smuggles in', () => {
    const headers = Object.assign(Object.create({ 'x-delivery-count': 99, inherited: 'no' }) as object, { region: 7 })
    const raw = {
      fields: { exchange: 'notifications/status', routingKey: 'renter.RENTAL_EXPIRED' },
      properties: { headers: headers as Record<string, unknown>, contentType: 'application/json' },
      content: Buffer.from('{"type":"RENTAL_EXPIRED"}'),
    }
    expect(read(raw)).toMatchObject({
      id: '',
      type: '',
      destination: { kind: 'topic', name: 'notifications/status', subject: 'renter.RENTAL_EXPIRED' },
    })
    expect({ ...read(raw).headers }).toEqual({ region: '7' })
  })

  it('copies keep bytes, properties and the first address, and drop what would mislead the broker', () => {
    const raw = {
      fields: { exchange: 'rentals', routingKey: 'booked' },
      properties: {
        headers: { kept: 'yes', CC: ['elsewhere'], 'x-death': [], 'x-delivery-count': 3, [OWN.publish]: 9 },
        messageId: 'm1',
        expiration: '1000',
      },
      content: Buffer.from('x'),
    }
    const copy = copyProperties(raw, { 'waybill-failures': '1' })
    expect({ ...copy.headers }).toEqual({
      kept: 'yes',
      'waybill-failures': '1',
      [OWN.exchange]: 'rentals',
      [OWN.routingKey]: 'booked',
    })
    expect(copy).not.toHaveProperty('expiration')
    const back = read({ ...raw, fields: { exchange: '', routingKey: 'billing' }, properties: copy })
    expect(back.destination).toEqual({ kind: 'topic', name: 'rentals', subject: 'booked' })
  })

  it.each([
    ['a reserved header', { headers: { 'x-death': 'me' } }],
    ['a control character', { headers: { 'a\r\nb': 'me' } }],
    ['headers too large', { headers: { big: 'x'.repeat(60_000) } }],
    ['a body too large', { body: new Uint8Array(16 * 1024 * 1024 + 1) }],
    ['a correlation id too long', { correlationId: 'x'.repeat(256) }],
  ])('refuses %s for good', (_what, change) => {
    const plain: WireMessage = {
      id: '1',
      type: 't',
      destination: { kind: 'topic', name: 'rentals' },
      contentType: '',
      body: null,
      attributes: {},
      headers: {},
    }
    expect(() => received({ ...plain, ...change }, 't')).toThrow(
      expect.objectContaining({ code: 'PUBLISH', fault: { scope: 'message', retryable: false, mayExist: false } }),
    )
  })
})

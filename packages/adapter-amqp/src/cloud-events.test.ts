import type { WireMessage } from '@waybill/core'
import { CloudEvent, HTTP } from 'cloudevents'
import { describe, expect, it } from 'vitest'
import { read, write } from './wire.ts'

const data = { skiId: 's-1', note: 'žluťoučký 🐎' }
const message: WireMessage = {
  id: '0199-1',
  type: 'rental.booked.v2',
  destination: { kind: 'topic', name: 'rentals' },
  contentType: 'application/json',
  body: Buffer.from(JSON.stringify(data)),
  attributes: {
    source: '/rentals',
    time: '2026-01-02T03:04:05.678Z',
    subject: 'skis/s-1',
    sequence: '42',
    dedupekey: 'b-1',
    causationid: 'c-1',
  },
  headers: { traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01', mine: 'x' },
  orderingKey: 's-1',
  expiresAtMs: Date.UTC(2030, 0, 1),
}
const to = { exchange: 'rentals', routingKey: 'booked', mandatory: false }

// The SDK has no binding for AMQP. Its names differ from those of HTTP by the prefix alone, and the content type's place.
describe('the AMQP binding of CloudEvents', () => {
  it('is written so that the SDK finds every attribute', () => {
    const { properties, content } = write(message, to)
    const headers = Object.fromEntries(
      Object.entries(properties.headers).map(([name, value]) => [name.replace('cloudEvents:', 'ce-'), String(value)]),
    )
    const event = HTTP.toEvent({
      headers: { ...headers, 'content-type': properties.contentType! },
      body: content.toString(),
    }) as CloudEvent<unknown>
    expect(event.validate()).toBe(true)
    expect({ ...event }).toMatchObject({
      specversion: '1.0',
      id: message.id,
      type: message.type,
      datacontenttype: message.contentType,
      partitionkey: 's-1',
      expirytime: '2030-01-01T00:00:00.000Z',
      ...message.attributes,
      data,
    })
  })

  it.each(['cloudEvents:', 'cloudEvents_'])('with the prefix %s is read with every attribute', (prefix) => {
    const event = new CloudEvent({
      id: 'e-1',
      type: 'their.event',
      source: 'https://example.org/theirs',
      time: '2026-01-02T03:04:05.678Z',
      subject: 'a/b',
      dataschema: 'https://example.org/schema',
      datacontenttype: 'application/json',
      partitionkey: 'k-1',
      region: 'eu',
      data,
    })
    const { headers, body } = HTTP.binary(event)
    const { 'content-type': contentType, ...attributes } = headers
    const renamed = Object.entries(attributes).map(([name, value]) => [name.replace('ce-', prefix), value])
    const got = read({
      fields: { exchange: 'theirs', routingKey: 'their.event' },
      properties: { headers: Object.fromEntries(renamed) as Record<string, unknown>, contentType: String(contentType) },
      content: Buffer.from(body as string),
    })
    expect(got).toMatchObject({ id: 'e-1', type: 'their.event', contentType: 'application/json', orderingKey: 'k-1' })
    expect({ ...got.attributes }).toEqual({
      source: 'https://example.org/theirs',
      time: '2026-01-02T03:04:05.678Z',
      subject: 'a/b',
      dataschema: 'https://example.org/schema',
      region: 'eu',
    })
    expect(JSON.parse(Buffer.from(got.body!).toString())).toEqual(data)
  })
})

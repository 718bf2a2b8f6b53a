import type { WireMessage } from '@waybill/core'
import { CloudEvent, Kafka } from 'cloudevents'
import { expect, test } from 'vitest'
import { fromRecord, toRecord, type KafkaRecord } from './wire.ts'

const topic = { kind: 'topic', name: 'rentals' } as const
const data = { skiId: 's-1', note: 'žluťoučký 🐎' }
const message: WireMessage = {
  id: '0199-1',
  type: 'rental.booked.v2',
  destination: topic,
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
}

/** As the SDK wants it: headers and value as text. */
function asTheirs({ key, value, headers }: KafkaRecord) {
  const text = Object.fromEntries(Object.entries(headers).map(([name, bytes]) => [name, bytes.toString()]))
  return { key: key?.toString() ?? '', value: value!.toString(), headers: text, body: value!.toString() }
}

test('what is written is a CloudEvent to the SDK, with every attribute', () => {
  const event = Kafka.toEvent(asTheirs(toRecord(message))) as CloudEvent<unknown>
  expect(event.validate()).toBe(true)
  expect({ ...event }).toMatchObject({
    specversion: '1.0',
    id: message.id,
    type: message.type,
    datacontenttype: message.contentType,
    partitionkey: 's-1',
    ...message.attributes,
  })
  expect(event.data).toEqual(data)
})

test('what the SDK writes is read with every attribute, and no more', () => {
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
    data: JSON.stringify(data),
  })
  const { key, value, headers } = Kafka.binary(event)
  const record = {
    key: Buffer.from(key),
    value: Buffer.from(value as string),
    headers: Object.fromEntries(
      Object.entries(headers).flatMap(([name, text]) =>
        text === undefined ? [] : [[name, Buffer.from(String(text as string))]],
      ),
    ),
  }
  const read = fromRecord(record, topic)
  expect(read).toMatchObject({ id: 'e-1', type: 'their.event', contentType: 'application/json', orderingKey: 'k-1' })
  expect(read.attributes).toEqual({
    source: 'https://example.org/theirs',
    time: '2026-01-02T03:04:05.678Z',
    subject: 'a/b',
    dataschema: 'https://example.org/schema',
    partitionkey: 'k-1',
    region: 'eu',
  })
  expect(JSON.parse(Buffer.from(read.body!).toString())).toEqual(data)
  // a producer that says it among the attributes alone
  const { 'content-type': _, ...without } = record.headers
  expect(fromRecord({ ...record, headers: without }, topic).contentType).toBe('application/json')
})

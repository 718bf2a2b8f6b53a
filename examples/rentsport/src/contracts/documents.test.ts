import { DiagnosticSeverity, Parser } from '@asyncapi/parser'
import { expect, test } from 'vitest'
import { notificationDocument, rentSportDocument } from './documents.ts'

/** The contract as the outside world has it, by which ours is measured. */
const CONTRACT = `
asyncapi: 3.0.0
id: urn:asyncapi:com.rentsport.notifications:1.0.0
info:
  title: RentSport Notification Service
  version: 1.0.0
  contact: { name: RentSport Support, url: https://www.rentsport.com, email: support@rentsport.com }
  license: { name: MIT, url: https://opensource.org/licenses/MIT }
  tags:
    - { name: notifications, description: rental status notifications }
defaultContentType: application/json
servers:
  production: { host: broker.rentsport.com, protocol: amqp }
channels:
  notifications/status:
    address: notifications/status
    messages:
      sendNotification.message:
        payload: { $ref: '#/components/schemas/Notification' }
operations:
  sendNotification:
    action: receive
    channel: { $ref: '#/channels/notifications~1status' }
    messages:
      - $ref: '#/channels/notifications~1status/messages/sendNotification.message'
components:
  schemas:
    Notification:
      type: object
      properties:
        type: { type: string, enum: [RENTAL_EXPIRED, MAINTENANCE_REQUIRED] }
        inventory_id: { type: integer }
        user_id: { type: integer }
        message: { type: string }
        timestamp: { type: string, format: date-time }
`

async function parsed(document: string) {
  const { document: read, diagnostics } = await new Parser().parse(document)
  expect(diagnostics.filter(({ severity }) => severity === DiagnosticSeverity.Error)).toEqual([])
  return read!
}

/** What a document says, however it is cut into references, and whatever parts of it are called where nobody looks. */
async function meaningOf(text: string) {
  const read = await parsed(text)
  return {
    id: read.json<{ id?: string }>().id,
    contentType: read.defaultContentType(),
    info: { ...read.info().json<object>() },
    servers: read
      .servers()
      .all()
      .map((server) => [server.id(), server.json()]),
    operations: read
      .operations()
      .all()
      .map((operation) => ({
        id: operation.id(),
        action: operation.action(),
        reply: operation.reply()?.json(),
        bindings: operation.bindings().all().length,
        channels: operation
          .channels()
          .all()
          .map((channel) => ({
            id: channel.id(),
            address: channel.address(),
            servers: channel
              .servers()
              .all()
              .map((server) => server.id()),
            bindings: channel.bindings().all().length,
            messages: channel
              .messages()
              .all()
              .map((message) => message.id()),
          })),
        messages: operation
          .messages()
          .all()
          .map((message) => ({
            id: message.id(),
            contentType: message.contentType(),
            headers: message.headers()?.json(),
            payload: withoutNotes(message.payload()!.json<object>()),
          })),
      })),
    schemas: read
      .components()
      .schemas()
      .all()
      .map((schema) => schema.id()),
  }
}

/** The parser leaves notes of its own in what it read. */
function withoutNotes(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value, (key, inner: unknown) => (key.startsWith('x-parser-') ? undefined : inner)))
}

test('the notification contract comes out of the definitions, equal in meaning', async () => {
  const ours = await meaningOf(JSON.stringify(notificationDocument()))
  expect(ours).toEqual(await meaningOf(CONTRACT))
  expect(ours.operations[0]).toMatchObject({ id: 'sendNotification', action: 'receive', messages: [{ payload: {} }] })
  expect(ours.operations[0]!.messages[0]!.payload).not.toHaveProperty('required')
})

test('all that travels is described, where others find it', async () => {
  const read = await parsed(JSON.stringify(rentSportDocument()))
  const routes = read
    .channels()
    .all()
    .map((channel) => [channel.address(), channel.servers().all()[0]?.id(), channel.bindings().all()[0]?.protocol()])
  expect(routes).toContainEqual(['rentsport.rentals', 'events', 'kafka'])
  expect(routes).toContainEqual(['rentsport.payments', 'events', 'kafka'])
  expect(routes).toContainEqual(['renter.RENTAL_EXPIRED', 'commands', 'amqp'])
  expect(routes).toContainEqual(['owner.MAINTENANCE_REQUIRED', 'commands', 'amqp'])
  const renter = read.operations().get('notifications.renter.receive.notification.rental-expired')!
  expect(renter.bindings().get('amqp')!.json()).toMatchObject({ 'x-queue': 'notifications.renter' })
  expect(read.operations().get('pricing.receive.pricing.quote')!.reply()!.channel()!.address()).toBeNull()
})

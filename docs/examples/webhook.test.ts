import { once } from 'node:events'
import { createServer, type IncomingHttpHeaders } from 'node:http'
import type { AddressInfo } from 'node:net'
import { defineEvent, encode, systemPorts } from '@waybill/core'
import { HTTP, type CloudEvent } from 'cloudevents'
import { expect, it } from 'vitest'
import { z } from 'zod'
import { webhook } from './webhook.ts'

it('sends what the CloudEvents SDK reads, with every attribute', async () => {
  const got: { headers: IncomingHttpHeaders; body: string }[] = []
  const server = createServer((request, response) => {
    let body = ''
    request.setEncoding('utf8').on('data', (text: string) => (body += text))
    request.on('end', () => {
      got.push({ headers: request.headers, body })
      response.end()
    })
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const hook = webhook(`http://127.0.0.1:${(server.address() as AddressInfo).port}`)
  const Booked = defineEvent('rental.booked', { schema: z.object({ note: z.string() }), version: 2 })

  const options = { id: 'b-1', dedupeKey: 'a "b" 50%', causationId: 'c-1' }
  const message = await encode(Booked, { note: '馬' }, options, { source: '/rentals/žluť', ports: systemPorts })
  await hook.publish([message])[0]
  const event = HTTP.toEvent(got[0]!) as CloudEvent<unknown>
  expect(event.validate()).toBe(true)
  expect({ ...event }).toMatchObject({
    specversion: '1.0',
    id: 'b-1',
    type: 'rental.booked.v2',
    datacontenttype: 'application/json',
    causationid: 'c-1',
    data: { note: '馬' },
  })
  expect(Number.isNaN(Date.parse(event.time!))).toBe(false)
  // the SDK leaves the percent-encoding of header values to its caller
  expect(decodeURIComponent(event.source)).toBe('/rentals/žluť')
  expect(decodeURIComponent(event.dedupekey as string)).toBe('a "b" 50%')
  server.close()
})

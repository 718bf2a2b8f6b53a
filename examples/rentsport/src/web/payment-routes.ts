import type { OpenAPIHono } from '@hono/zod-openapi'
import { z } from '@hono/zod-openapi'
import { streamSSE } from 'hono/streaming'
import { Refusal } from '../rentals/refusal.ts'
import { createRoute, inputRefusals, json, refusal } from './answers.ts'
import { charge, paymentParameter, paymentQuery } from './schemas.ts'
import type { WebServices } from './services.ts'

const tags = ['payments']
/** Proxies close a connection that is silent for longer. */
const KEEP_ALIVE_MS = 15_000
const RETRY_MS = 1_000

/** Live statuses and the gateway's ledger. */
export function paymentRoutes(app: OpenAPIHono, { payments }: WebServices): void {
  app.openapi(
    createRoute({
      method: 'get',
      path: '/api/payments/{id}/events',
      tags,
      summary:
        'Server-sent events `status`, each the moment it exists; resumes by Last-Event-ID; ends with the final one',
      request: { params: paymentParameter },
      responses: {
        200: { description: 'Statuses', content: { 'text/event-stream': { schema: z.string() } } },
        204: { description: 'Nothing comes after the event that was seen last' },
        404: refusal('Unknown payment'),
        ...inputRefusals,
      },
    }),
    async (context) => {
      const { id } = context.req.valid('param')
      const last = context.req.header('last-event-id') ?? ''
      const afterNumber = /^\d{1,9}$/.test(last) ? Number(last) : 0
      const ended = new AbortController()
      const statuses = await payments.watch(id, afterNumber, ended.signal)
      if (statuses === undefined) throw new Refusal(404, 'UNKNOWN_PAYMENT', `there is no payment "${id}"`, 'id')
      const iterator = statuses[Symbol.asyncIterator]()
      return streamSSE(context, async (stream) => {
        stream.onAbort(() => ended.abort())
        const keepAlive = setInterval(() => void stream.write(': \n\n').catch(() => undefined), KEEP_ALIVE_MS)
        try {
          for (;;) {
            const next = await iterator.next()
            if (next.done) break
            const { number, status, message } = next.value
            await stream.writeSSE({
              event: 'status',
              id: String(number),
              retry: RETRY_MS,
              data: JSON.stringify({ payment_id: id, status, message }),
            })
          }
        } catch {
          // The connection ends here, and the browser comes back with the last event it saw.
        } finally {
          clearInterval(keepAlive)
          ended.abort()
        }
      }) as never
    },
  )

  app.openapi(
    createRoute({
      method: 'get',
      path: '/api/charges',
      tags,
      summary: "The gateway's own ledger for a payment",
      request: { query: paymentQuery },
      responses: { 200: json(z.array(charge), 'Charges'), ...inputRefusals },
    }),
    async (context) => {
      const charges = await payments.charges(context.req.valid('query').payment_id)
      return context.json([...charges], 200)
    },
  )
}

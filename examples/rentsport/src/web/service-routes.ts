import type { OpenAPIHono } from '@hono/zod-openapi'
import { z } from '@hono/zod-openapi'
import { readReport } from '../reports/read-report.ts'
import { createRoute, inputRefusals, json } from './answers.ts'
import { health, notification, parked, report, userQuery } from './schemas.ts'
import type { WebServices } from './services.ts'

const MAX_LISTED = 500

/** What the notification and report services did, what was parked, and how all parts are. */
export function serviceRoutes(app: OpenAPIHono, services: WebServices): void {
  const { db } = services.database
  app.openapi(
    createRoute({
      method: 'get',
      path: '/api/notifications',
      tags: ['notifications'],
      summary: 'What was delivered to a user, newest first',
      request: { query: userQuery },
      responses: { 200: json(z.array(notification), 'Notifications'), ...inputRefusals },
    }),
    async (context) => {
      const rows = await db
        .selectFrom('rentsport.notification_delivered')
        .selectAll()
        .where('user_id', '=', context.req.valid('query').user_id)
        .orderBy('id', 'desc')
        .limit(MAX_LISTED)
        .execute()
      return context.json(
        rows.map(({ id, type, inventory_id, user_id, message, channels, sent_at, delivered_at }) => ({
          id: Number(id),
          type,
          inventory_id: Number(inventory_id),
          user_id: Number(user_id),
          message,
          timestamp: sent_at.toISOString(),
          channels,
          at: delivered_at.toISOString(),
        })),
        200,
      )
    },
  )

  app.openapi(
    createRoute({
      method: 'get',
      path: '/api/report',
      tags: ['report'],
      summary: 'Revenue, active rentals and utilisation, made of domain events',
      responses: { 200: json(report, 'The report') },
    }),
    async (context) => {
      const { revenue, utilisation, ...rest } = await readReport(db)
      return context.json({ ...rest, revenue: [...revenue], utilisation: [...utilisation] }, 200)
    },
  )

  app.openapi(
    createRoute({
      method: 'get',
      path: '/api/parked',
      tags: ['operations'],
      summary: 'Messages that were given up on, with the reason',
      responses: { 200: json(z.array(parked), 'Parked messages') },
    }),
    async (context) => {
      const list: z.infer<typeof parked>[] = []
      for await (const { handle, service, reason, attempts, parkedAtMs, message } of services.parked()) {
        const parked_at = new Date(parkedAtMs).toISOString()
        list.push({ handle, service, type: message.type, reason, attempts, parked_at })
        if (list.length >= MAX_LISTED) break
      }
      return context.json(list, 200)
    },
  )

  app.openapi(
    createRoute({
      method: 'get',
      path: '/health',
      tags: ['operations'],
      summary: 'Which parts work',
      responses: { 200: json(health, 'All parts work'), 503: json(health, 'Some part does not, and why') },
    }),
    (context) => {
      const reports = services.health()
      const pids = Object.fromEntries(Object.entries(services.pids()).map(([room, pid]) => [room, pid ?? null]))
      const working = reports.every(({ state }) => state === 'up')
      const parts = reports.map(({ part, state, sinceMs, reason, lag, pid }) => ({
        part,
        state,
        since: new Date(sinceMs).toISOString(),
        ...(reason !== undefined && { reason }),
        ...(lag !== undefined && { lag }),
        ...(pid !== undefined && { pid }),
      }))
      const answer = {
        status: working ? ('up' as const) : ('down' as const),
        parts,
        pids: { main: process.pid, ...pids },
      }
      return context.json(answer, working ? 200 : 503)
    },
  )
}

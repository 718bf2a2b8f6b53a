import type { OpenAPIHono } from '@hono/zod-openapi'
import { z } from '@hono/zod-openapi'
import { askForMaintenance } from '../rentals/maintenance.ts'
import { createRoute, inputRefusals, json, refusal } from './answers.ts'
import { availability, availabilityQuery, equipment, idParameter, user } from './schemas.ts'
import type { WebServices } from './services.ts'

const tags = ['inventory']

/** The catalogue, its people, and maintenance. */
export function inventoryRoutes(app: OpenAPIHono, { database: { db }, outbox, availability: ask }: WebServices): void {
  app.openapi(
    createRoute({
      method: 'get',
      path: '/api/equipment',
      tags,
      summary: 'Everything that can be rented',
      responses: { 200: json(z.array(equipment), 'The inventory') },
    }),
    async (context) => {
      const rows = await db
        .selectFrom('rentsport.equipment as equipment')
        .selectAll('equipment')
        .select((query) =>
          query
            .selectFrom('rentsport.rental as rental')
            .select(({ fn }) => fn.countAll<string>().as('count'))
            .whereRef('rental.equipment_id', '=', 'equipment.id')
            .where('rental.status', 'in', ['PENDING_PAYMENT', 'ACTIVE'])
            .as('in_hand'),
        )
        .orderBy('equipment.id')
        .execute()
      return context.json(
        rows.map(({ in_hand, rented_hours, maintained_at_hours, maintenance_due_since, ...rest }) => {
          const units_free = Math.max(rest.units - Number(in_hand ?? 0), 0)
          return {
            ...rest,
            units_free,
            status: units_free > 0 ? ('available' as const) : ('rented' as const),
            hours_since_maintenance: rented_hours - maintained_at_hours,
            maintenance_due_since: maintenance_due_since?.toISOString() ?? null,
          }
        }),
        200,
      )
    },
  )

  app.openapi(
    createRoute({
      method: 'get',
      path: '/api/availability',
      tags,
      summary: 'What is free of a category, asked of all branches at once; who is late is named',
      request: { query: availabilityQuery },
      responses: { 200: json(availability, 'What the branches answered in time'), ...inputRefusals },
    }),
    async (context) => {
      const { category } = context.req.valid('query')
      const { branches, unknown } = await ask(category)
      return context.json({ category, branches: [...branches], unknown: [...unknown] }, 200)
    },
  )

  app.openapi(
    createRoute({
      method: 'post',
      path: '/api/equipment/{id}/maintenance',
      tags,
      summary: 'Ask for maintenance: the owner is notified',
      request: { params: idParameter },
      responses: {
        202: json(z.object({ equipment_id: z.int() }), 'The owner will hear of it'),
        404: refusal('Unknown equipment'),
        ...inputRefusals,
      },
    }),
    async (context) => {
      const { id } = context.req.valid('param')
      await askForMaintenance(outbox, id)
      return context.json({ equipment_id: id }, 202)
    },
  )

  app.openapi(
    createRoute({
      method: 'get',
      path: '/api/users',
      tags,
      summary: 'The people one can be',
      responses: { 200: json(z.array(user), 'People') },
    }),
    async (context) => {
      const rows = await db
        .selectFrom('rentsport.person')
        .select(['id', 'name', 'language', 'channel'])
        .orderBy('id')
        .execute()
      return context.json(rows, 200)
    },
  )
}

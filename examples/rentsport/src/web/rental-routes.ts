import type { OpenAPIHono } from '@hono/zod-openapi'
import { z } from '@hono/zod-openapi'
import { bookRental, type Rental } from '../rentals/book.ts'
import { unknownRental } from '../rentals/refusal.ts'
import { returnRental } from '../rentals/return.ts'
import { createRoute, inputRefusals, json, refusal } from './answers.ts'
import { idParameter, quote, quoteQuery, rental, rentalOrder, userQuery, MAX_DAYS } from './schemas.ts'
import { Refusal } from '../rentals/refusal.ts'
import type { WebServices } from './services.ts'

const tags = ['rentals']

/** Renting, looking at rentals, and bringing back. */
export function rentalRoutes(app: OpenAPIHono, { database, outbox, payments, quote: ask }: WebServices): void {
  app.openapi(
    createRoute({
      method: 'post',
      path: '/api/rentals',
      tags,
      summary: 'Rent: rental, payment and event are written together, and the payment starts',
      request: { body: { required: true, content: { 'application/json': { schema: rentalOrder } } } },
      responses: {
        201: json(rental, 'The rental, waiting for its payment'),
        404: refusal('Unknown equipment or user'),
        409: refusal('No unit is free'),
        ...inputRefusals,
      },
    }),
    async (context) => {
      const order = context.req.valid('json')
      const booked = await bookRental(outbox, payments.register, order)
      payments.start(booked, order.payment_method)
      return context.json(shown(booked), 201, { location: `/api/rentals/${booked.id}` })
    },
  )

  app.openapi(
    createRoute({
      method: 'get',
      path: '/api/rentals',
      tags,
      summary: 'What a user rented, newest first',
      request: { query: userQuery },
      responses: { 200: json(z.array(rental), 'Rentals'), ...inputRefusals },
    }),
    async (context) => {
      const rows = await database.db
        .selectFrom('rentsport.rental')
        .selectAll()
        .where('user_id', '=', context.req.valid('query').user_id)
        .orderBy('id', 'desc')
        .limit(200)
        .execute()
      return context.json(rows.map(shown), 200)
    },
  )

  app.openapi(
    createRoute({
      method: 'get',
      path: '/api/rentals/{id}',
      tags,
      summary: 'One rental',
      request: { params: idParameter },
      responses: { 200: json(rental, 'The rental'), 404: refusal('Unknown rental'), ...inputRefusals },
    }),
    async (context) => {
      const { id } = context.req.valid('param')
      const row = await database.db.selectFrom('rentsport.rental').selectAll().where('id', '=', id).executeTakeFirst()
      if (row === undefined) throw unknownRental(id)
      return context.json(shown(row), 200)
    },
  )

  app.openapi(
    createRoute({
      method: 'post',
      path: '/api/rentals/{id}/return',
      tags,
      summary: 'Bring the equipment back',
      request: { params: idParameter },
      responses: {
        200: json(rental, 'The rental'),
        404: refusal('Unknown rental'),
        409: refusal('Nothing to bring back'),
        ...inputRefusals,
      },
    }),
    async (context) => context.json(shown(await returnRental(outbox, context.req.valid('param').id)), 200),
  )

  app.openapi(
    createRoute({
      method: 'get',
      path: '/api/quote',
      tags,
      summary: 'What a rental would cost, asked of the backend by request and reply',
      request: { query: quoteQuery },
      responses: { 200: json(quote, 'The price'), 404: refusal('Unknown equipment'), ...inputRefusals },
    }),
    async (context) => {
      const { equipment_id, days } = context.req.valid('query')
      if (days > MAX_DAYS) throw new Refusal(422, 'INVALID_INPUT', `days: at most ${MAX_DAYS}`, 'days')
      return context.json({ equipment_id, days, ...(await ask(equipment_id, days)) }, 200)
    },
  )
}

function shown({ booked_at, starts_at, ends_at, closed_at, ...rest }: Rental) {
  return {
    ...rest,
    booked_at: booked_at.toISOString(),
    starts_at: starts_at?.toISOString() ?? null,
    ends_at: ends_at?.toISOString() ?? null,
    closed_at: closed_at?.toISOString() ?? null,
  }
}

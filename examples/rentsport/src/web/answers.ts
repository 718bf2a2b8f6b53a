import { createRoute, type z } from '@hono/zod-openapi'
import { problem } from './schemas.ts'

/** A JSON answer of a route. */
export const json = <S extends z.ZodType>(schema: S, description: string) => ({
  description,
  content: { 'application/json': { schema } },
})

export const refusal = (description: string) => json(problem, description)

/** Refusals that any route with input may give. */
export const inputRefusals = {
  400: refusal('No JSON'),
  413: refusal('Too large'),
  422: refusal('The input does not fit'),
} as const

export { createRoute }

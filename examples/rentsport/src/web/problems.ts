import type { Hook } from '@hono/zod-openapi'
import type { ErrorHandler, NotFoundHandler } from 'hono'
import { HTTPException } from 'hono/http-exception'
import type { Logger } from '@waybill/core'
import { Refusal } from '../rentals/refusal.ts'

/** Every answer that is no success is JSON `{ code, message, field? }`. */
interface Problem {
  readonly code: string
  readonly message: string
  readonly field?: string | undefined
}

/** Input that its schema refuses: the first thing that is wrong, with its field. */
// eslint-disable-next-line @typescript-eslint/no-explicit-any -- the hook serves every route
export const refuseInput: Hook<unknown, any, any, any> = (result, context) => {
  if (result.success) return undefined
  const issue = result.error.issues[0]
  const field = issue?.path.map(String).join('.')
  const problem: Problem = {
    code: 'INVALID_INPUT',
    message: field ? `${field}: ${issue?.message}` : (issue?.message ?? 'the input does not fit'),
    ...(field && { field }),
  }
  return context.json(problem, 422)
}

export const unknownAddress: NotFoundHandler = (context) =>
  context.json({ code: 'NOT_FOUND', message: `nothing at ${context.req.method} ${context.req.path}` }, 404)

const HTTP_CODES: Readonly<Record<number, string>> = { 400: 'MALFORMED', 413: 'TOO_LARGE', 415: 'NOT_JSON' }

/** Errors that mean a server or database is away, by code. */
const AWAY = /^(?:ECONN|EPIPE|ETIMEDOUT|CONNECTION$|TIMEOUT$|08|53|57P)/

export function problemsOf(logger: Logger): ErrorHandler {
  return (error, context) => {
    if (error instanceof Refusal) {
      const { code, message, field, status } = error
      return context.json({ code, message, ...(field !== undefined && { field }) }, status)
    }
    if (error instanceof HTTPException) {
      const code = HTTP_CODES[error.status] ?? `HTTP_${error.status}`
      return context.json({ code, message: error.message || code }, error.status)
    }
    const code = (error as { code?: unknown }).code
    const away =
      (typeof code === 'string' && AWAY.test(code)) || /timeout exceeded when trying to connect/.test(error.message)
    logger.error({ error }, `${context.req.method} ${context.req.path} failed`)
    return away
      ? context.json({ code: 'UNAVAILABLE', message: 'a part of RentSport is away: see /health' }, 503)
      : context.json({ code: 'INTERNAL', message: 'RentSport failed to answer' }, 500)
  }
}

import { PublishError, type PublishFault } from '@waybill/core'
import { isStatementLost } from './statement-names.ts'

/** How far a failed insert reaches. */
export function insertFault(error: unknown): PublishFault {
  const code = (error as { code?: unknown } | null)?.code
  const state = typeof code === 'string' ? code : ''
  // 22 data, 23 constraint, 54 too large: this row is at fault, whatever else is sent
  if (/^(?:22|23|54)[0-9A-Z]{3}$/.test(state)) return { scope: 'message', retryable: false, mayExist: false }
  // a statement that the server refused was not carried out; one without an answer may have been
  const refused = /^[0-9A-Z]{5}$/.test(state) && !/^(?:08|57P)/.test(state)
  const notReached = state === 'ECONNREFUSED' || state === 'ENOTFOUND'
  return { scope: 'transport', retryable: true, mayExist: !refused && !notReached }
}

/** The error of a failed insert in the words of the contract. */
export function insertError(error: unknown, what: string): PublishError {
  if (error instanceof PublishError) return error
  const code = (error as { code?: unknown } | null)?.code
  const hint = code === '42P01' || code === '3F000' ? ': run migrate({ pool }) first' : ''
  return new PublishError(`${what} not written to PostgreSQL${hint}`, { ...insertFault(error), cause: error })
}

/**
 * What to say where a pooler gave the transaction a connection that does not know a statement which was prepared by name on
 * another, or has it from somebody else. The transaction has failed, nothing of it is written.
 * @param option what turns preparing off, such as `createOutbox({ prepare: false })`
 * @returns `undefined` for any other error, also for one about a statement of the user's own
 */
export function lostStatement(error: unknown, option: string): string | undefined {
  if (!isStatementLost(error)) return undefined
  return `a pooler between here and PostgreSQL does not carry prepared statements over (${error.code}): say ${option}, or let it carry them (PgBouncer 1.21 or later with max_prepared_statements above 0)`
}

/** Whether a statement gave up on a lock that another transaction keeps. */
export function isLockTimeout(error: unknown): boolean {
  return (error as { code?: unknown } | null)?.code === '55P03'
}

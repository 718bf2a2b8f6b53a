import { ConnectionError } from '@waybill/core'
import { lostStatement } from '../database-errors.ts'

/**
 * An inbox without its table, or behind a pooler that loses its statements, says nothing about the message: the service
 * waits, as it would for the database, and gives up on nothing.
 */
export function unready(schema: string): (error: unknown) => never {
  return (error) => {
    const code = (error as { code?: unknown } | null)?.code
    const text =
      code === '42P01' || code === '3F000'
        ? `the inbox has no table in schema ${schema}: run "waybill-outbox migrate" or migrate({ pool }), or give the schema that has it`
        : lostStatement(error, 'createInbox({ prepare: false })')
    throw text === undefined ? error : new ConnectionError(text, { cause: error })
  }
}

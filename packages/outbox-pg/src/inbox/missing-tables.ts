import { ConnectionError } from '@waybill/core'

/**
 * An inbox without its table says nothing about the message: the service waits for the migration, as it would for the
 * database, and gives up on nothing.
 */
export function missingTables(schema: string): (error: unknown) => never {
  return (error) => {
    const code = (error as { code?: unknown } | null)?.code
    if (code !== '42P01' && code !== '3F000') throw error
    const text = `the inbox has no table in schema ${schema}: run "waybill-outbox migrate" or migrate({ pool }), or give the schema that has it`
    throw new ConnectionError(text, { cause: error })
  }
}

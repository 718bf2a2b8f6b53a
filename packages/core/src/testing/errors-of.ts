const CODES = new Set([
  ...['CONFIG', 'VALIDATION', 'CODEC', 'UNSUPPORTED', 'CONNECTION', 'TIMEOUT', 'PUBLISH'],
  ...['TRANSACTION', 'OVERLOAD', 'REMOTE', 'EXPIRED', 'CLOSED', 'UNRECOVERABLE'],
])

/** The `code` of an error, `''` where it has none. */
export function codeOf(error: unknown): string {
  const code = (error as { code?: unknown } | null | undefined)?.code
  return typeof code === 'string' ? code : ''
}

/** Whether an error is one of the library's, by its code. */
export function isTyped(error: unknown): boolean {
  return CODES.has(codeOf(error))
}

/** What a promise rejected with; `undefined` if it was fulfilled. */
export async function failureOf(promise: Promise<unknown>): Promise<unknown> {
  try {
    await promise
    return undefined
  } catch (error) {
    return error ?? new Error('rejected with nothing')
  }
}

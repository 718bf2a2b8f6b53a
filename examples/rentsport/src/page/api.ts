/** What the server said no with: a code to translate, a text in English, and the field where there is one. */
export class ApiError extends Error {
  readonly code: string
  readonly field: string | undefined
  constructor(code: string, message: string, field?: string) {
    super(message)
    this.code = code
    this.field = field
  }
}

const REQUEST_TIMEOUT_MS = 15_000

/** One call of the HTTP API; the body of the answer, or an `ApiError`. */
export async function call<T>(method: 'GET' | 'POST', path: string, body?: unknown): Promise<T> {
  let response: Response
  try {
    response = await fetch(path, {
      method,
      signal: AbortSignal.timeout(REQUEST_TIMEOUT_MS),
      ...(body !== undefined && { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } }),
    })
  } catch {
    throw new ApiError('UNREACHABLE', 'The server does not answer. Try again in a moment.')
  }
  const answer = (await response.json().catch(() => undefined)) as Record<string, string> | undefined
  if (response.ok || path === '/health') return answer as T
  throw new ApiError(answer?.code ?? `HTTP_${response.status}`, answer?.message ?? response.statusText, answer?.field)
}

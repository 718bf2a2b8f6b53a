import type { ApiError } from '../api.ts'
import { useLanguage } from '../language.ts'

/** An error of the API in the person's language. */
export function Failure({ error }: { readonly error: ApiError }) {
  const { reason } = useLanguage()
  return (
    <p class="failure" role="alert" data-code={error.code}>
      {reason(error.code, error.message)}
    </p>
  )
}

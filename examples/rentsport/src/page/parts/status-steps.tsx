import { useLanguage } from '../language.ts'

export interface PaymentStep {
  readonly status: string
  readonly message: string
}

const ORDER = ['PENDING', 'PROCESSING', 'VALIDATING'] as const

/** The steps of one payment: those that came, the one that runs, those to come, and how it ended. */
export function StatusSteps({ steps }: { readonly steps: readonly PaymentStep[] }) {
  const { texts, reason } = useLanguage()
  const last = steps.at(-1)
  const failed = last?.status === 'FAILED'
  const final = failed ? 'FAILED' : 'COMPLETED'
  const seen = new Set(steps.map(({ status }) => status))
  const shown = failed ? ORDER.filter((status) => seen.has(status)) : ORDER
  return (
    <ol class="steps" aria-live="polite">
      {[...shown, final].map((status) => (
        <li key={status} data-status={status} class={stepClass(status, seen, last?.status)}>
          <b>{texts.statuses[status] ?? status}</b>
          {status === 'FAILED' && last && <span class="why">{reason(last.message, last.message)}</span>}
        </li>
      ))}
    </ol>
  )
}

function stepClass(status: string, seen: ReadonlySet<string>, last: string | undefined): string {
  if (status === 'FAILED') return 'failed'
  if (!seen.has(status)) return 'ahead'
  return status === last && status !== 'COMPLETED' ? 'running' : 'done'
}

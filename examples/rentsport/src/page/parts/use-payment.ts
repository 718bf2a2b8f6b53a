import { useEffect, useState } from 'preact/hooks'
import type { PaymentStep } from './status-steps.tsx'

/** The statuses of a payment from the first to the newest, each the moment it exists; a lost connection resumes by itself. */
export function usePayment(paymentId: string | undefined): readonly PaymentStep[] {
  const [steps, setSteps] = useState<readonly PaymentStep[]>([])
  useEffect(() => {
    setSteps([])
    if (paymentId === undefined) return
    const source = new EventSource(`/api/payments/${encodeURIComponent(paymentId)}/events`)
    source.addEventListener('status', (event: MessageEvent<string>) => {
      const step = JSON.parse(event.data) as PaymentStep
      setSteps((before) => (before.some(({ status }) => status === step.status) ? before : [...before, step]))
      if (step.status === 'COMPLETED' || step.status === 'FAILED') source.close()
    })
    return () => source.close()
  }, [paymentId])
  return steps
}

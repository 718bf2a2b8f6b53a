import { useEffect, useRef, useState } from 'preact/hooks'
import { call, type ApiError } from '../api.ts'
import { useLanguage } from '../language.ts'
import type { Equipment, Rental } from '../model.ts'
import { Name } from './name.tsx'
import { Failure } from './failure.tsx'
import { StatusSteps } from './status-steps.tsx'
import { usePayment } from './use-payment.ts'

interface PayDialogProps {
  readonly equipment: Equipment
  readonly userId: number
  onClose(): void
}

/** Days and card, then the payment's steps as they come. */
export function PayDialog({ equipment, userId, onClose }: PayDialogProps) {
  const { texts, money } = useLanguage()
  const dialog = useRef<HTMLDialogElement>(null)
  const [days, setDays] = useState(1)
  const [card, setCard] = useState('4242424242424242')
  const [rental, setRental] = useState<Rental>()
  const [error, setError] = useState<ApiError>()
  const [busy, setBusy] = useState(false)
  const steps = usePayment(rental?.payment_id)
  useEffect(() => dialog.current?.showModal(), [])

  const pay = async (event: Event) => {
    event.preventDefault()
    setBusy(true)
    setError(undefined)
    try {
      const payment_method = `card:${card.replaceAll(/\s/g, '')}`
      setRental(
        await call<Rental>('POST', '/api/rentals', {
          equipment_id: equipment.id,
          user_id: userId,
          days,
          payment_method,
        }),
      )
    } catch (failure) {
      setError(failure as ApiError)
    } finally {
      setBusy(false)
    }
  }

  return (
    <dialog ref={dialog} onClose={onClose}>
      <Name of={equipment} />
      {rental === undefined ? (
        <form onSubmit={(event) => void pay(event)}>
          <label>
            {texts.days}
            <input
              name="days"
              type="number"
              min="1"
              max="90"
              required
              value={days}
              onInput={(event) => setDays(event.currentTarget.valueAsNumber)}
            />
          </label>
          <label>
            {texts.card}
            <input
              name="card"
              inputMode="numeric"
              autocomplete="off"
              list="test-cards"
              required
              value={card}
              onInput={(event) => setCard(event.currentTarget.value)}
            />
          </label>
          <details>
            <summary>{texts.testCards}</summary>
            <ul class="plain">
              {Object.entries(texts.cards).map(([number, what]) => (
                <li key={number}>
                  <button type="button" class="link" onClick={() => setCard(number)}>
                    {number.replaceAll(/(\d{4})(?=\d)/g, '$1 ')}
                  </button>{' '}
                  {what}
                </li>
              ))}
            </ul>
          </details>
          <p class="total">
            {texts.total} <b>{money(equipment.price_per_day_minor * (days || 0), equipment.currency)}</b>
          </p>
          {error && <Failure error={error} />}
          <footer>
            <button type="button" onClick={() => dialog.current?.close()}>
              {texts.close}
            </button>
            <button class="main" disabled={busy}>
              {texts.pay}
            </button>
          </footer>
        </form>
      ) : (
        <section class="payment" data-payment={rental.payment_id}>
          <p class="total">
            {texts.paying} <b>{money(rental.amount_minor, rental.currency)}</b>
          </p>
          <StatusSteps steps={steps} />
          <footer>
            <button class="main" onClick={() => dialog.current?.close()}>
              {texts.close}
            </button>
          </footer>
        </section>
      )}
    </dialog>
  )
}

import { useLanguage } from '../language.ts'
import type { Equipment, Rental, ViewProps } from '../model.ts'
import { StatusSteps } from '../parts/status-steps.tsx'
import { usePayment } from '../parts/use-payment.ts'
import { useResource } from '../parts/use-resource.ts'
import { Name } from '../parts/name.tsx'

/** What this person rented, newest first, each with its payment. */
export function Rentals({ userId }: ViewProps) {
  const { texts } = useLanguage()
  const rentals = useResource<readonly Rental[]>(`/api/rentals?user_id=${userId}`, 2_000).value
  const equipment = useResource<readonly Equipment[]>('/api/equipment', 30_000).value ?? []
  if (rentals === undefined) return <p>{texts.loading}</p>
  if (rentals.length === 0) return <p class="empty">{texts.noRentals}</p>
  return (
    <ul class="rows">
      {rentals.map((rental) => (
        <Row key={rental.id} rental={rental} equipment={equipment.find(({ id }) => id === rental.equipment_id)} />
      ))}
    </ul>
  )
}

function Row({ rental, equipment }: { readonly rental: Rental; readonly equipment: Equipment | undefined }) {
  const { texts, money, time } = useLanguage()
  const waiting = rental.status === 'PENDING_PAYMENT'
  const steps = usePayment(waiting ? rental.payment_id : undefined)
  return (
    <li data-rental={rental.id}>
      {equipment && <Name of={equipment} />}
      <span>{money(rental.amount_minor, rental.currency)}</span>
      <span class={`badge ${rental.status.toLowerCase()}`}>{texts.rentalStatuses[rental.status] ?? rental.status}</span>
      {rental.ends_at !== null && (
        <span class="quiet">
          {texts.until} {time(rental.ends_at)}
        </span>
      )}
      {waiting && <StatusSteps steps={steps} />}
    </li>
  )
}

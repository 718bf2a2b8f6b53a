import { useState } from 'preact/hooks'
import { useLanguage } from '../language.ts'
import type { Equipment, ViewProps } from '../model.ts'
import { Failure } from '../parts/failure.tsx'
import { Name } from '../parts/name.tsx'
import { PayDialog } from '../parts/pay-dialog.tsx'
import { Picture } from '../parts/picture.tsx'
import { useResource } from '../parts/use-resource.ts'

/** What can be rented, and the way to rent it. */
export function Catalogue({ userId }: ViewProps) {
  const { texts, money } = useLanguage()
  const equipment = useResource<readonly Equipment[]>('/api/equipment', 5_000)
  const [chosen, setChosen] = useState<Equipment>()
  if (equipment.value === undefined)
    return equipment.error ? <Failure error={equipment.error} /> : <p>{texts.loading}</p>
  return (
    <>
      <ul class="cards">
        {equipment.value.map((item) => (
          <li key={item.id} data-equipment={item.id}>
            <Picture category={item.category} />
            <Name of={item} />
            <span class="price">
              <b>{money(item.price_per_day_minor, item.currency)}</b> {texts.perDay}
            </span>
            {item.status === 'available' ? (
              <button class="main" onClick={() => setChosen(item)}>
                {texts.rent}
              </button>
            ) : (
              <span class="badge">{texts.taken}</span>
            )}
          </li>
        ))}
      </ul>
      {chosen && (
        <PayDialog
          equipment={chosen}
          userId={userId}
          onClose={() => {
            setChosen(undefined)
            equipment.reload()
          }}
        />
      )}
    </>
  )
}

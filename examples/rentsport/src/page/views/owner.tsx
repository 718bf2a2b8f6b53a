import { useState } from 'preact/hooks'
import { call, type ApiError } from '../api.ts'
import { useLanguage } from '../language.ts'
import type { Equipment, ViewProps } from '../model.ts'
import { Failure } from '../parts/failure.tsx'
import { useResource } from '../parts/use-resource.ts'
import { Name } from '../parts/name.tsx'

/** The equipment of this person, who may ask for its maintenance. */
export function Owner({ userId }: ViewProps) {
  const { texts } = useLanguage()
  const equipment = useResource<readonly Equipment[]>('/api/equipment', 3_000)
  const [error, setError] = useState<ApiError>()
  const [asked, setAsked] = useState<ReadonlySet<number>>(new Set())
  const own = equipment.value?.filter((item) => item.owner_id === userId)
  if (own === undefined) return <p>{texts.loading}</p>
  if (own.length === 0) return <p class="empty">{texts.noEquipment}</p>

  const ask = async (id: number) => {
    try {
      setError(undefined)
      await call('POST', `/api/equipment/${id}/maintenance`)
      setAsked((before) => new Set([...before, id]))
      equipment.reload()
    } catch (failure) {
      setError(failure as ApiError)
    }
  }

  return (
    <>
      <h2>{texts.ownedBy}</h2>
      {error && <Failure error={error} />}
      <ul class="rows">
        {own.map((item) => (
          <li key={item.id}>
            <Name of={item} />
            {asked.has(item.id) || item.maintenance_due_since !== null ? (
              <span class="badge">{texts.maintenanceAsked}</span>
            ) : (
              <button onClick={() => void ask(item.id)}>{texts.askMaintenance}</button>
            )}
          </li>
        ))}
      </ul>
    </>
  )
}

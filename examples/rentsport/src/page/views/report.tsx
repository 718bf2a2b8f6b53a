import { useLanguage } from '../language.ts'
import type { Equipment, ViewProps } from '../model.ts'
import { useResource } from '../parts/use-resource.ts'

interface ReportAnswer {
  readonly revenue: readonly { readonly currency: string; readonly amount_minor: number }[]
  readonly active_rentals: number
  readonly payments: Readonly<Record<string, number>>
  readonly utilisation: readonly { readonly equipment_id: number; readonly hours: number; readonly share: number }[]
}

/** What the report service made of the domain events. */
export function Report(_: ViewProps) {
  const { texts, money, code } = useLanguage()
  const report = useResource<ReportAnswer>('/api/report', 2_000).value
  const equipment = useResource<readonly Equipment[]>('/api/equipment', 60_000).value ?? []
  if (report === undefined) return <p>{texts.loading}</p>
  const nameOf = (id: number) => {
    const item = equipment.find((candidate) => candidate.id === id)
    return item === undefined ? `#${id}` : code === 'ru' ? item.name_ru : item.name_en
  }
  return (
    <>
      <dl class="figures">
        {report.revenue.map(({ currency, amount_minor }) => (
          <div key={currency}>
            <dt>{texts.revenue}</dt>
            <dd data-figure="revenue">{money(amount_minor, currency)}</dd>
          </div>
        ))}
        <div>
          <dt>{texts.activeRentals}</dt>
          <dd>{report.active_rentals}</dd>
        </div>
        {Object.entries(report.payments).map(([status, count]) => (
          <div key={status}>
            <dt>
              {texts.payments}: {texts.statuses[status] ?? status}
            </dt>
            <dd>{count}</dd>
          </div>
        ))}
      </dl>
      <h2>{texts.utilisation}</h2>
      <ul class="bars">
        {report.utilisation.map(({ equipment_id, share }) => (
          <li key={equipment_id}>
            <span>{nameOf(equipment_id)}</span>
            <meter min={0} max={1} value={share} />
            <span class="quiet">{Math.round(share * 100)} %</span>
          </li>
        ))}
      </ul>
    </>
  )
}

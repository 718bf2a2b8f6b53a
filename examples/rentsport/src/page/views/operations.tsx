import { useLanguage } from '../language.ts'
import type { ViewProps } from '../model.ts'
import { useResource } from '../parts/use-resource.ts'

interface HealthAnswer {
  readonly parts: readonly {
    readonly part: string
    readonly state: string
    readonly since: string
    readonly reason?: string
    readonly lag?: number
  }[]
}

interface ParkedAnswer {
  readonly handle: string
  readonly service: string
  readonly reason: string
  readonly parked_at: string
}

/** Which parts work, and which messages were given up on and kept. */
export function Operations(_: ViewProps) {
  const { texts, time } = useLanguage()
  const health = useResource<HealthAnswer>('/health', 2_000).value
  const parked = useResource<readonly ParkedAnswer[]>('/api/parked', 3_000).value
  return (
    <>
      <h2>{texts.health}</h2>
      {health === undefined ? (
        <p>{texts.loading}</p>
      ) : (
        <ul class="rows">
          {health.parts.map((part) => (
            <li key={part.part}>
              <b class="wide">{part.part}</b>
              <span class={`badge ${part.state}`}>{texts.states[part.state] ?? part.state}</span>
              <span class="quiet">
                {texts.since} {time(part.since)}
              </span>
              {part.reason !== undefined && <span class="why">{part.reason}</span>}
            </li>
          ))}
        </ul>
      )}
      <h2>{texts.parked}</h2>
      {parked?.length === 0 && <p class="empty">{texts.nothingParked}</p>}
      <ul class="rows">
        {parked?.map((message) => (
          <li key={`${message.service}/${message.handle}`}>
            <b>{message.service}</b>
            <span class="wide why">{message.reason}</span>
            <span class="quiet">{time(message.parked_at)}</span>
          </li>
        ))}
      </ul>
    </>
  )
}

import { useLanguage } from '../language.ts'
import type { ViewProps } from '../model.ts'
import { Failure } from '../parts/failure.tsx'
import { useResource } from '../parts/use-resource.ts'

interface Part {
  readonly part: string
  readonly state: string
  readonly since: string
  readonly reason?: string
}

interface ParkedAnswer {
  readonly handle: string
  readonly service: string
  readonly reason: string
  readonly parked_at: string
}

/** What does not work and why, what does, and which messages were given up on and kept. */
export function Operations(_: ViewProps) {
  const { texts, time } = useLanguage()
  const health = useResource<{ readonly parts: readonly Part[] }>('/health', 2_000)
  const parked = useResource<readonly ParkedAnswer[]>('/api/parked', 3_000).value
  return (
    <>
      <h2>{texts.health}</h2>
      {health.error && <Failure error={health.error} />}
      {health.value === undefined ? <p>{texts.loading}</p> : <Parts parts={health.value.parts} />}
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

function Parts({ parts }: { readonly parts: readonly Part[] }) {
  const { texts } = useLanguage()
  const those = (wanted: string) => parts.filter(({ state }) => state === wanted)
  const failing = [...those('down'), ...those('degraded')]
  const working = those('up')
  return (
    <>
      {failing.length === 0 ? <p>{texts.allWork}</p> : <PartRows parts={failing} />}
      <details>
        <summary>
          {texts.working}: {working.length}
        </summary>
        <PartRows parts={working} />
      </details>
    </>
  )
}

function PartRows({ parts }: { readonly parts: readonly Part[] }) {
  const { texts, time, reason: inWords } = useLanguage()
  return (
    <ul class="rows">
      {parts.map(({ part, state, since, reason }, place) => (
        // Several may have one name: instances that read the same queue.
        <li key={place} data-part={part}>
          <b class="wide">{part}</b>
          <span class={`badge ${state}`}>{texts.states[state] ?? state}</span>
          <span class="quiet">
            {texts.since} {time(since)}
          </span>
          {reason !== undefined && <span class={state === 'up' ? 'quiet' : 'why'}>{inWords(reason, reason)}</span>}
        </li>
      ))}
    </ul>
  )
}

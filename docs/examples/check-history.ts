import { check, type Finding, type SeenEntry, type SentEntry } from '@waybill/core/testing'

interface LogLine {
  readonly event: 'published' | 'failed' | 'handled'
  readonly id: string
  readonly key?: string
  readonly service?: string
}

/** What is wrong between the lines of publishers and those of the services that had to handle each message. */
export function judge(lines: readonly LogLine[], services: readonly string[]): readonly Finding[] {
  const sent: SentEntry[] = []
  const seen: SeenEntry[] = []
  for (const { event, id, key, service = '' } of lines) {
    if (event === 'handled') seen.push({ id, reader: service })
    else sent.push({ id, key, readers: services, confirmed: event === 'published' })
  }
  return check({ sent, seen }).filter(({ verdict }) => verdict !== 'recovered')
}

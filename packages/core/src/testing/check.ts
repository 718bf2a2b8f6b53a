/** One message that a publisher gave away. */
export interface SentEntry {
  readonly id: string
  /** Whether its publish was fulfilled; a message whose publish failed may still arrive. */
  readonly confirmed: boolean
  /** Messages of one key must first be seen in the order of `History.sent`. */
  readonly key?: string | undefined
  /** Who must see it: services, or single instances of a broadcast. */
  readonly readers: readonly string[]
  /** What its content must be like on arrival, in any form that can be compared. */
  readonly content?: string | undefined
}

/** One delivery. */
export interface SeenEntry {
  readonly id: string
  readonly reader: string
  readonly content?: string | undefined
  /** `false` while its settlement is still owed. @default true */
  readonly settled?: boolean | undefined
}

/** All that happened, as publishers and readers wrote it down, each list in order of time. */
export interface History {
  readonly sent: readonly SentEntry[]
  readonly seen: readonly SeenEntry[]
}

/** What can be wrong with a history, and `recovered`, which is not: seen although its publish failed. */
export const VERDICTS = ['lost', 'duplicated', 'unexpected', 'reordered', 'altered', 'stuck', 'recovered'] as const
export type Verdict = (typeof VERDICTS)[number]

/** One message that one reader saw wrongly, or did not see. */
export interface Finding {
  readonly verdict: Verdict
  readonly reader: string
  readonly id: string
  readonly detail: string
}

/**
 * Judges a history, without looking at anything else. Order is judged on the first time a reader sees a message, so
 * that a late copy is a duplicate and not a disorder.
 */
export function check(history: History): readonly Finding[] {
  const sent = new Map(history.sent.map((entry, index) => [entry.id, { entry, index }]))
  const findings: Finding[] = []
  const seen = new Map<string, Map<string, number>>()
  const newest = new Map<string, { readonly index: number; readonly id: string }>()

  for (const { id, reader, content, settled = true } of history.seen) {
    const counts = seen.get(reader) ?? new Map<string, number>()
    seen.set(reader, counts)
    const count = (counts.get(id) ?? 0) + 1
    counts.set(id, count)
    const finding = (verdict: Verdict, detail: string) => findings.push({ verdict, reader, id, detail })

    if (!settled) finding('stuck', 'delivered and never settled')
    const origin = sent.get(id)
    if (origin === undefined || !origin.entry.readers.includes(reader)) {
      finding('unexpected', origin === undefined ? 'was never sent' : 'was sent to others')
      continue
    }
    const { entry, index } = origin
    if (entry.content !== undefined && entry.content !== content) {
      finding('altered', difference(entry.content, content ?? 'nothing'))
    }
    if (count > 1) {
      finding('duplicated', `seen ${count} times`)
      continue
    }
    if (!entry.confirmed) finding('recovered', 'came although its publish failed')
    if (entry.key === undefined) continue
    const lane = JSON.stringify([reader, entry.key])
    const before = newest.get(lane)
    if (before !== undefined && before.index > index) {
      finding('reordered', `of key ${entry.key}, first seen after ${before.id}, which was sent later`)
    } else newest.set(lane, { index, id })
  }

  for (const { id, confirmed, readers } of history.sent) {
    if (!confirmed) continue
    for (const reader of readers) {
      if (!seen.get(reader)?.has(id)) findings.push({ verdict: 'lost', reader, id, detail: 'confirmed and never seen' })
    }
  }
  return findings
}

/** Both from shortly before the first character in which they differ. */
function difference(sent: string, came: string): string {
  let same = 0
  while (same < sent.length && sent[same] === came[same]) same += 1
  const part = (text: string) => `${same > 30 ? '…' : ''}${text.slice(Math.max(0, same - 30), same + 50)}`
  return `sent as ${part(sent)}, came as ${part(came)}`
}

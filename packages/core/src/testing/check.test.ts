import { describe, expect, it } from 'vitest'
import { check, type History, type SeenEntry, type SentEntry } from './check.ts'

const sent = (id: string, more: Partial<SentEntry> = {}): SentEntry => ({
  id,
  confirmed: true,
  readers: ['a'],
  ...more,
})
const seen = (id: string, more: Partial<SeenEntry> = {}): SeenEntry => ({ id, reader: 'a', ...more })
const verdicts = (history: History) => check(history).map(({ verdict, id }) => `${verdict} ${id}`)

describe('check', () => {
  it('finds nothing in a history where each reader saw each message once, in order', () => {
    const messages = ['1', '2', '3'].map((id) => sent(id, { key: 'k', readers: ['a', 'b'], content: `c${id}` }))
    const deliveries = ['a', 'b'].flatMap((reader) =>
      messages.map(({ id, content }) => seen(id, { reader, content, settled: true })),
    )
    expect(check({ sent: messages, seen: deliveries })).toEqual([])
  })

  it('finds what was lost, for each reader apart', () => {
    const history = { sent: [sent('1', { readers: ['a', 'b'] }), sent('2')], seen: [seen('1'), seen('2')] }
    expect(check(history)).toMatchObject([{ verdict: 'lost', reader: 'b', id: '1' }])
  })

  it('does not miss what was never confirmed, and says when it came all the same', () => {
    const unsure = [sent('1', { confirmed: false }), sent('2', { confirmed: false })]
    expect(verdicts({ sent: unsure, seen: [seen('2')] })).toEqual(['recovered 2'])
  })

  it('finds each copy', () => {
    expect(verdicts({ sent: [sent('1')], seen: [seen('1'), seen('1'), seen('1')] })).toEqual([
      'duplicated 1',
      'duplicated 1',
    ])
  })

  it('finds what nobody sent, and what was sent to somebody else', () => {
    const history = { sent: [sent('1', { readers: ['b'] })], seen: [seen('1', { reader: 'b' }), seen('1'), seen('9')] }
    expect(check(history)).toMatchObject([
      { verdict: 'unexpected', id: '1', reader: 'a', detail: 'was sent to others' },
      { verdict: 'unexpected', id: '9', reader: 'a', detail: 'was never sent' },
    ])
  })

  it('judges order by key, and on the first time only', () => {
    const keyed = [sent('1', { key: 'k' }), sent('2', { key: 'k' }), sent('3', { key: 'other' }), sent('4')]
    const disorder = ['2', '1', '4', '3'].map((id) => seen(id))
    expect(verdicts({ sent: keyed, seen: disorder })).toEqual(['reordered 1'])
    const lateCopy = ['1', '2', '1', '3', '4'].map((id) => seen(id))
    expect(verdicts({ sent: keyed, seen: lateCopy })).toEqual(['duplicated 1'])
  })

  it('finds changed content', () => {
    expect(check({ sent: [sent('1', { content: 'A' })], seen: [seen('1', { content: 'B' })] })).toMatchObject([
      { verdict: 'altered', detail: 'sent as A, came as B' },
    ])
  })

  it('finds what was delivered and never settled', () => {
    expect(verdicts({ sent: [sent('1')], seen: [seen('1', { settled: false })] })).toEqual(['stuck 1'])
  })
})

import { describe, expect, it } from 'vitest'
import { PublishError, publishFault } from './errors.ts'
import { keyedPublisher } from './keyed-publisher.ts'
import type { Publisher } from './transport.ts'
import type { WireMessage } from './wire-message.ts'

const message = (id: string, orderingKey?: string): WireMessage => ({
  id,
  type: 't',
  destination: { kind: 'topic', name: 't' },
  contentType: 'text/plain',
  body: null,
  attributes: {},
  headers: {},
  ...(orderingKey !== undefined && { orderingKey }),
})

/** Holds every message until the test settles it by id. */
function held() {
  const open = new Map<string, { resolve(): void; reject(error: Error): void }>()
  const publisher: Publisher = {
    publish: (messages) =>
      messages.map(({ id }) => new Promise<void>((resolve, reject) => open.set(id, { resolve, reject }))),
  }
  return { open, publisher }
}

describe('keyedPublisher', () => {
  it('hands over one message of a key at a time, and other keys beside it', async () => {
    const { open, publisher } = held()
    const published = keyedPublisher(publisher).publish([
      message('a1', 'a'),
      message('a2', 'a'),
      message('b1', 'b'),
      message('n'),
    ])
    expect([...open.keys()]).toEqual(['a1', 'b1', 'n'])
    open.get('a1')!.resolve()
    await published[0]
    await Promise.resolve()
    expect([...open.keys()]).toEqual(['a1', 'b1', 'n', 'a2'])
  })

  it('fails what waits behind a failed one of its key, and takes the next call again', async () => {
    const { open, publisher } = held()
    const keyed = keyedPublisher(publisher)
    const published = keyed.publish([message('a1', 'a'), message('a2', 'a'), message('a3', 'a')])
    const told: number[] = []
    published.forEach((promise, index) => {
      promise.catch(() => told.push(index))
    })
    open.get('a1')!.reject(new PublishError('no', { scope: 'destination', mayExist: true }))
    const faults = (await Promise.allSettled(published)).map(
      (end) => end.status === 'rejected' && publishFault(end.reason),
    )
    expect(faults).toEqual([
      { scope: 'destination', retryable: true, mayExist: true },
      { scope: 'message', retryable: true, mayExist: false },
      { scope: 'message', retryable: true, mayExist: false },
    ])
    expect(told).toEqual([0, 1, 2])
    const again = keyed.publish([message('a4', 'a')])
    open.get('a4')!.resolve()
    await again[0]
  })

  it('turns a publisher that throws, or answers with too few promises, into a failed message', async () => {
    for (const publish of [() => [], () => [Promise.resolve(), Promise.reject(new Error('extra'))]]) {
      const end = await keyedPublisher({ publish })
        .publish([message('a', 'a')])[0]!
        .catch(publishFault)
      expect(end).toEqual({ scope: 'transport', retryable: true, mayExist: true })
    }
  })
})

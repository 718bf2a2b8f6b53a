import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Lanes, type Lane } from './lanes.ts'

interface Item {
  readonly key: string | undefined
  readonly number: number
}

/** What may happen to lanes, in any order. */
const step = fc.oneof(
  fc.record({ do: fc.constant('add' as const), key: fc.option(fc.constantFrom('a', 'b', 'c'), { nil: undefined }) }),
  fc.record({ do: fc.constantFrom('take', 'finish', 'suspend', 'resume', 'resumeNow', 'extract'), at: fc.nat(20) }),
  fc.record({ do: fc.constant('concurrency' as const), to: fc.integer({ min: 1, max: 4 }) }),
)

describe('lanes', () => {
  it('start a key in order and one at a time, never more than the limit, and lose nothing', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
        const lanes = new Lanes<Item>(2)
        const running: { readonly lane: Lane<Item>; readonly item: Item }[] = []
        const suspended: typeof running = []
        const resumed: typeof running = []
        const started = new Map<string | undefined, number>()
        let added = 0
        let gone = 0
        const take = () => {
          const taken = lanes.take()
          if (taken === undefined) return false
          expect(lanes.running).toBeLessThanOrEqual(lanes.concurrency)
          const again = resumed.findIndex(({ item }) => item === taken.item)
          const { key, number } = taken.item
          if (again >= 0) resumed.splice(again, 1)
          else if (key !== undefined) {
            expect(number).toBeGreaterThan(started.get(key) ?? -1)
            started.set(key, number)
          }
          for (const other of [...running, ...suspended, ...resumed]) {
            if (key !== undefined) expect(other.item.key).not.toBe(key)
          }
          running.push(taken)
          return true
        }
        for (const { ...now } of steps) {
          if (now.do === 'add') lanes.add(now.key, { key: now.key, number: added++ })
          else if (now.do === 'concurrency') lanes.concurrency = now.to
          else if (now.do === 'take') take()
          else if (now.do === 'extract') gone += lanes.extract(({ number }) => number % 3 === now.at % 3).length
          else {
            const from = { finish: running, suspend: running, resume: suspended, resumeNow: resumed }[now.do]
            const chosen = from.splice(now.at % Math.max(1, from.length), 1)[0]
            if (chosen === undefined) continue
            if (now.do === 'finish') {
              gone++
              lanes.finish(chosen.lane)
            } else if (now.do === 'suspend') {
              lanes.suspend()
              suspended.push(chosen)
            } else if (now.do === 'resume') {
              lanes.resume(chosen.lane, chosen.item)
              resumed.push(chosen)
            } else {
              lanes.resumeNow(chosen.item)
              running.push(chosen)
            }
          }
        }
        for (const chosen of suspended.splice(0)) {
          lanes.resume(chosen.lane, chosen.item)
          resumed.push(chosen)
        }
        for (;;) {
          while (take());
          const done = running.shift()
          if (done === undefined) break
          gone++
          lanes.finish(done.lane)
        }
        expect({ gone, waiting: lanes.waiting, running: lanes.running }).toEqual({
          gone: added,
          waiting: 0,
          running: 0,
        })
      }),
    )
  })

  it('give a cold key its turn after at most one item of the hot one', () => {
    const lanes = new Lanes<string>(1)
    for (let index = 0; index < 10_000; index++) lanes.add('hot', `hot ${index}`)
    for (let index = 0; index < 9; index++) lanes.add(`cold ${index}`, 'cold')
    const first = Array.from({ length: 10 }, () => {
      const { lane, item } = lanes.take()!
      lanes.finish(lane)
      return item
    })
    expect(first.filter((item) => item === 'cold')).toHaveLength(9)
  })
})

import fc from 'fast-check'
import { expect, test } from 'vitest'
import { advance, bind, giveBack, openRanges, resume, type LogPosition } from './gaps.ts'

/** A transaction of the simulated database: it takes its transaction id first, then ids, then commits or rolls back. */
interface Transaction {
  readonly xid: number
  readonly ids: number[]
  state: 'running' | 'committed' | 'rolled back'
}

/** PostgreSQL as far as the log can see it: two counters, transactions, snapshots. Keys are guarded by a row lock each. */
class Database {
  nextXid = 10
  nextId = 1
  readonly transactions: Transaction[] = []
  readonly keyOf = new Map<number, number>()
  readonly locks = new Map<number, Transaction>()
  readonly dropped = new Set<number>()

  begin(): Transaction {
    const transaction: Transaction = { xid: this.nextXid++, ids: [], state: 'running' }
    this.transactions.push(transaction)
    return transaction
  }

  insert(transaction: Transaction, key: number): boolean {
    const holder = this.locks.get(key)
    if (holder && holder !== transaction) return false
    this.locks.set(key, transaction)
    this.keyOf.set(this.nextId, key)
    transaction.ids.push(this.nextId++)
    return true
  }

  end(transaction: Transaction, state: 'committed' | 'rolled back'): void {
    transaction.state = state
    for (const [key, holder] of this.locks) if (holder === transaction) this.locks.delete(key)
  }

  /** What one statement of a reader sees. */
  read(state: LogPosition, limit: number) {
    const visible = this.transactions
      .filter((transaction) => transaction.state === 'committed')
      .flatMap(({ ids }) => ids)
      .sort((left, right) => left - right)
    const inGaps = visible.filter((id) => state.gaps.some(({ low, high }) => id >= low && id <= high)).slice(0, limit)
    const page = visible.filter((id) => id > state.position).slice(0, limit)
    const running = this.transactions.filter((transaction) => transaction.state === 'running').map(({ xid }) => xid)
    const xmin = BigInt(Math.min(this.nextXid, ...running))
    return { seen: [...inGaps, ...page], xmin, cutAt: inGaps.length >= limit ? inGaps.at(-1) : undefined }
  }
}

type Step =
  | { readonly do: 'begin' }
  | { readonly do: 'insert'; readonly which: number; readonly key: number }
  | { readonly do: 'commit' | 'rollback'; readonly which: number }
  | { readonly do: 'read'; readonly limit: number; readonly settle: number }
  | { readonly do: 'checkpoint' | 'crash' }
  | { readonly do: 'give back'; readonly count: number }

const which = fc.nat(7)
const steps = fc.array(
  fc.oneof(
    { weight: 3, arbitrary: fc.constant({ do: 'begin' } as const) },
    { weight: 6, arbitrary: fc.record({ do: fc.constant('insert' as const), which, key: fc.nat(3) }) },
    { weight: 3, arbitrary: fc.record({ do: fc.constant('commit' as const), which }) },
    { weight: 1, arbitrary: fc.record({ do: fc.constant('rollback' as const), which }) },
    {
      weight: 4,
      arbitrary: fc.record({
        do: fc.constant('read' as const),
        limit: fc.integer({ min: 1, max: 5 }),
        settle: fc.nat(5),
      }),
    },
    { weight: 1, arbitrary: fc.constant({ do: 'checkpoint' } as const) },
    { weight: 1, arbitrary: fc.constant({ do: 'crash' } as const) },
    { weight: 1, arbitrary: fc.record({ do: fc.constant('give back' as const), count: fc.nat(3) }) },
  ),
  { maxLength: 120, size: 'max' },
)

/** Plays the steps, then lets all transactions end and the reader catch up; returns ids in the order handed on, and what was settled. */
function play(all: readonly Step[]): { database: Database; handedOn: number[]; settled: Set<number> } {
  const database = new Database()
  let stored: { position: number; open: (readonly [number, number])[] } = { position: 0, open: [] }
  let state = resume(0, [])
  let unsettled: number[] = []
  const handedOn: number[] = []
  const settled = new Set<number>()
  const settle = (count: number) => {
    for (const id of unsettled.splice(0, count)) settled.add(id)
  }
  const read = (limit: number) => {
    if (state.gaps.some(({ bound }) => bound === undefined)) state = bind(state, BigInt(database.nextXid++))
    const result = advance(state, database.read(state, limit))
    state = result.after
    unsettled.push(...result.handOn)
    handedOn.push(...result.handOn)
    return result.handOn.length
  }
  const checkpoint = () => (stored = { position: state.position, open: openRanges(state, unsettled) })
  for (const step of all) {
    const running = database.transactions.filter((transaction) => transaction.state === 'running')
    const chosen = 'which' in step && running.length > 0 ? running[step.which % running.length]! : undefined
    if (step.do === 'begin') database.begin()
    else if (step.do === 'insert') chosen && database.insert(chosen, step.key)
    else if (step.do === 'commit') chosen && database.end(chosen, 'committed')
    else if (step.do === 'rollback') chosen && database.end(chosen, 'rolled back')
    else if (step.do === 'checkpoint') checkpoint()
    else if (step.do === 'read') {
      read(step.limit)
      settle(step.settle)
    } else if (step.do === 'crash') {
      state = resume(stored.position, stored.open)
      unsettled = []
    } else if (step.do === 'give back') {
      const back = unsettled.splice(Math.max(0, unsettled.length - step.count))
      state = giveBack(
        state,
        back.sort((left, right) => left - right),
      )
    }
  }
  for (const transaction of database.transactions) {
    if (transaction.state === 'running') database.end(transaction, 'committed')
  }
  for (let idle = 0; idle < 3;) idle = read(5) === 0 ? idle + 1 : 0
  settle(Infinity)
  expect(state.gaps).toEqual([])
  return { database, handedOn, settled }
}

test('nothing committed is lost, nothing rolled back is handed on, keys keep their order, gaps end', () => {
  fc.assert(
    fc.property(steps, (all) => {
      const { database, handedOn, settled } = play(all)
      const committed = database.transactions.filter(({ state }) => state === 'committed').flatMap(({ ids }) => ids)
      expect(settled).toEqual(new Set(committed))
      expect(new Set(handedOn)).toEqual(settled)
      const firsts = [...new Set(handedOn)]
      for (const key of [0, 1, 2, 3]) {
        const ofKey = firsts.filter((id) => database.keyOf.get(id) === key)
        expect(ofKey).toEqual(ofKey.toSorted((left, right) => left - right))
      }
    }),
    { numRuns: 2_000 },
  )
})

test('without a crash or a give-back each id is handed on once', () => {
  const calm = steps.map((all) => all.filter(({ do: name }) => name !== 'crash' && name !== 'give back'))
  fc.assert(
    fc.property(calm, (all) => {
      const { handedOn } = play(all)
      expect(new Set(handedOn).size).toBe(handedOn.length)
    }),
    { numRuns: 1_000 },
  )
})

test('a gap is given up only against an id assigned after it was seen', () => {
  const seen = advance(resume(0, []), { seen: [3], xmin: 5n })
  expect(seen.after.gaps).toEqual([{ low: 1, high: 2, bound: undefined }])
  // its owner may have any id below the bound, also one above this snapshot's xmin
  const bound = bind(seen.after, 9n)
  expect(advance(bound, { seen: [], xmin: 8n }).after.gaps).toHaveLength(1)
  expect(advance(bound, { seen: [1], xmin: 8n })).toEqual({
    after: { position: 3, gaps: [{ low: 2, high: 2, bound: 9n }] },
    handOn: [1],
  })
  expect(advance(bound, { seen: [], xmin: 9n }).after.gaps).toEqual([])
})

test('while gaps hold more than one read takes, nothing above them is handed on', () => {
  const before = { position: 9, gaps: [{ low: 2, high: 6, bound: 5n }] }
  expect(advance(before, { seen: [2, 3, 10], xmin: 9n, cutAt: 3 })).toEqual({
    after: { position: 9, gaps: [{ low: 4, high: 6, bound: 5n }] },
    handOn: [2, 3],
  })
})

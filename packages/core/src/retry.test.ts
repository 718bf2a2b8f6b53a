import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { ConfigError, ConnectionError, UnrecoverableError, ValidationError } from './errors.ts'
import { isDependencyError, reasonOf, retryPolicy, type RetryContext } from './retry.ts'

const context = (given: Partial<RetryContext> = {}): RetryContext => ({
  tries: 1,
  rounds: 0,
  keyed: false,
  timedOut: false,
  random: () => 0.5,
  ...given,
})

describe('retryPolicy', () => {
  it('waits within its bounds, then goes rounds, then gives up', () => {
    const policy = retryPolicy({ inProcess: { tries: 4, firstMs: 100, maxMs: 300 }, roundsMs: [1_000, 2_000] })
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 3 }), fc.double({ min: 0, max: 0.999, noNaN: true }), (tries, random) => {
        const decision = policy(new Error('no'), tries, context({ tries, random: () => random }))
        const waitMs = (decision as { retryInMs: number }).retryInMs
        expect(waitMs).toBeGreaterThanOrEqual(0)
        expect(waitMs).toBeLessThanOrEqual(Math.min(300, 100 * 2 ** (tries - 1)))
      }),
    )
    expect(policy(new Error('no'), 4, context({ tries: 4 }))).toEqual({ requeueInMs: 1_000 })
    expect(policy(new Error('no'), 8, context({ tries: 4, rounds: 1 }))).toEqual({ requeueInMs: 2_000 })
    expect(policy(new Error('no'), 12, context({ tries: 4, rounds: 2 }))).toEqual({ deadLetter: 'Error: no' })
  })

  it('spreads its waits over all of the time up to a cap that only grows', () => {
    const bounds = fc.record({
      firstMs: fc.integer({ min: 0, max: 10_000 }),
      maxMs: fc.integer({ min: 0, max: 60_000 }),
    })
    fc.assert(
      fc.property(bounds, fc.double({ min: 0, max: 1, noNaN: true }), ({ firstMs, maxMs }, random) => {
        const policy = retryPolicy({ inProcess: { tries: 2_000, firstMs, maxMs } })
        const wait = (tries: number, drawn: number) =>
          (policy(new Error('no'), tries, context({ tries, random: () => drawn })) as { retryInMs: number }).retryInMs
        let before = 0
        for (const tries of [1, 2, 3, 10, 20, 1_999]) {
          const cap = wait(tries, 1)
          expect(cap).toBe(firstMs === 0 ? 0 : Math.min(maxMs, firstMs * 2 ** (tries - 1)))
          expect(cap).toBeGreaterThanOrEqual(before)
          // full jitter: proportional to what was drawn, from none at all
          expect(wait(tries, 0)).toBe(0)
          expect(Math.abs(wait(tries, random) - random * cap)).toBeLessThanOrEqual(0.5)
          before = cap
        }
      }),
    )
  })

  it('goes each round once, in order, then gives up; what can not be helped is never tried again', () => {
    const waits = fc.array(fc.integer({ min: 0, max: 3_600_000 }), { maxLength: 5 })
    const hopeless = fc.constantFrom('VALIDATION', 'CODEC', 'UNRECOVERABLE', 'CONFIG', 'UNSUPPORTED')
    const where = fc.record({ tries: fc.integer({ min: 1, max: 9 }), rounds: fc.nat(9), keyed: fc.boolean() })
    fc.assert(
      fc.property(waits, hopeless, where, fc.boolean(), (roundsMs, code, at, timedOut) => {
        const policy = retryPolicy({ inProcess: { tries: 3 }, roundsMs })
        const gone = roundsMs.map((_, rounds) => policy(new Error('no'), 1, context({ tries: 3, rounds })))
        expect(gone).toEqual(roundsMs.map((requeueInMs) => ({ requeueInMs })))
        expect(policy(new Error('no'), 1, context({ tries: 3, rounds: roundsMs.length }))).toHaveProperty('deadLetter')
        const error = Object.assign(new Error('no'), { code })
        expect(policy(error, 1, context({ ...at, timedOut }))).toEqual({ deadLetter: 'Error: no' })
      }),
    )
  })

  it('never requeues what has a place in an order', () => {
    expect(retryPolicy()(new Error('no'), 3, context({ tries: 3, keyed: true }))).toEqual({ deadLetter: 'Error: no' })
  })

  it.each([new ValidationError('no', []), new UnrecoverableError('no')])('gives up at once on $name', (error) => {
    expect(retryPolicy()(error, 1, context())).toEqual({ deadLetter: `${error.name}: no` })
  })

  it.each(['ECONNREFUSED', 'ECONNRESET', '08006', '53300', '57P01'])('stops the line on %s', (code) => {
    expect(retryPolicy()(Object.assign(new Error('away'), { code }), 1, context())).toEqual({ stopTheLine: true })
  })

  it.each([
    'Connection terminated unexpectedly',
    'Connection terminated due to connection timeout',
    'Client has encountered a connection error and is not queryable',
    'timeout exceeded when trying to connect',
  ])('stops the line where pg says without a code: %s', (message) => {
    expect(retryPolicy()(new Error(message), 1, context())).toEqual({ stopTheLine: true })
    expect(retryPolicy()(new Error(`not so: ${message}`), 1, context())).toEqual({ retryInMs: 50 })
  })

  it('stops the line for a dependency, not for a handler that is slow by itself', () => {
    const error = new ConnectionError('away')
    expect(retryPolicy()(error, 1, context())).toEqual({ stopTheLine: true })
    expect(retryPolicy()(error, 1, context({ timedOut: true }))).toEqual({ retryInMs: 50 })
    expect(isDependencyError({ code: '23505' })).toBe(false)
  })

  it('refuses what is out of bounds', () => {
    expect(() => retryPolicy({ inProcess: { tries: 0 } })).toThrow(ConfigError)
    expect(() => retryPolicy({ inProcess: { maxMs: -1 } })).toThrow(/inProcess\.maxMs/)
    expect(() => retryPolicy({ roundsMs: [Number.NaN] })).toThrow(/roundsMs/)
  })

  it('keeps a reason short enough for the headers of every broker', () => {
    expect(reasonOf(new Error('x'.repeat(5_000))).length).toBeLessThanOrEqual(1_000)
    expect(reasonOf(undefined)).toBe('thrown undefined')
  })
})

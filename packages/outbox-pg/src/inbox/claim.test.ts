import { expect, test } from 'vitest'
import { StatementNames } from '../statement-names.ts'
import { Claims, Known } from './claim.ts'

const claim = { service: 'billing', handler: 'bill', key: 'm-1', hash: null }
const claimsOf = (plainErrors: boolean, windowMs?: number) =>
  new Claims('"waybill"', new StatementNames(false), { lockTimeoutMs: 20, windowMs, plainErrors })
const asks = (claims: Claims) => claims.statement(claim).text.includes('ON CONFLICT')
const taken = { code: '23505', table: 'inbox' }

test('after a message that is known the next thousand are asked for', () => {
  const claims = claimsOf(true)
  expect([asks(claims), asks(claims)]).toEqual([false, false])
  expect(() => claims.checkKnown(taken)).toThrow(Known)
  const asked = Array.from({ length: 1_001 }, () => asks(claims))
  expect(asked.indexOf(false)).toBe(1_000)
})

test('other errors are left as they are', () => {
  const claims = claimsOf(true)
  for (const error of [{ code: '23505', table: 'rental' }, { code: '40001' }, new Error('no'), 'no'])
    claims.checkKnown(error)
  expect(asks(claims)).toBe(false)
})

test('all are asked for where keys come again by design, or errors may be wrapped', () => {
  for (const claims of [claimsOf(true, 1_000), claimsOf(false)]) {
    expect(Array.from({ length: 2_000 }, () => asks(claims)).every(Boolean)).toBe(true)
  }
})

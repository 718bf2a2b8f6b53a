import { expect, it } from 'vitest'
import { Ledger } from './ledger.ts'

it('judges a history with one of each fault so', () => {
  const ledger = new Ledger()
  for (const key of ['a', 'b']) {
    for (let n = 0; n < 4; n++) {
      ledger.sent(key, n)
      ledger.confirmed(key, n)
    }
  }
  for (const n of [0, 1, 2, 3]) ledger.handled('a', n)
  // never 1, 2 after 3, 3 twice, and 7 out of nowhere
  for (const n of [0, 3, 3, 2, 7]) ledger.handled('b', n)
  expect(ledger.verdict()).toMatchObject({ confirmed: 8, lost: 1, disordered: 1, copies: 1, unexpected: 1 })
})

it('lets be handled what was sent and never confirmed', () => {
  const ledger = new Ledger()
  ledger.sent('a', 0)
  ledger.handled('a', 0)
  expect(ledger.verdict()).toMatchObject({ confirmed: 0, lost: 0, disordered: 0, copies: 0, unexpected: 0 })
})

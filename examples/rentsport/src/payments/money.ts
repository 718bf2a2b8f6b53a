import { ValidationError } from '@waybill/core'

/** Ten million of any currency: the most that one payment may move. */
export const MAX_AMOUNT_MINOR = 1_000_000_000

/**
 * A double from outside as whole minor units, which all of ours count in. What the sender wrote is the shortest decimal
 * that reads back as the same double: 19.99 is exact though 19.99 * 100 is 1998.9999999999998, and 0.1 + 0.2 is not.
 * @throws {ValidationError} not a number, endless, negative, zero, not exact to the minor unit, or above the maximum
 */
export function minorUnitsOf(amount: number): number {
  if (Number.isNaN(amount)) throw refused('is not a number')
  if (!Number.isFinite(amount)) throw refused('is endless')
  if (amount < 0) throw refused('is negative')
  if (amount === 0) throw refused('is zero')
  if (amount > MAX_AMOUNT_MINOR / 100) throw refused(`is above the maximum of ${MAX_AMOUNT_MINOR / 100}`)
  const digits = /^(\d+)(?:\.(\d{1,2}))?$/.exec(String(amount))
  if (digits === null) throw refused('is not exact to the minor unit: give at most two decimals')
  return Number(digits[1]) * 100 + Number((digits[2] ?? '').padEnd(2, '0'))
}

/** The double that a contract with the outside wants: the one nearest to the decimal, which reads back as the same. */
export function amountOf(minorUnits: number): number {
  return minorUnits / 100
}

function refused(what: string): ValidationError {
  return new ValidationError(`amount ${what}`, [{ path: 'amount', message: what }])
}

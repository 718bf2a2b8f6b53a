import { equal } from 'node:assert/strict'
import { publishFault } from '../errors.ts'
import { codeOf } from './errors-of.ts'

/** The error of a message that will not be taken, whenever it is tried. */
export function assertRefusedForGood(error: unknown, what: string): void {
  equal(codeOf(error), 'PUBLISH', `code of ${what}: ${String(error)}`)
  const { scope, retryable } = publishFault(error)
  equal(`${scope}, retryable: ${retryable}`, 'message, retryable: false', `the fault of ${what}`)
}

import { AsyncLocalStorage } from 'node:async_hooks'
import { TransactionError } from './errors.ts'

interface Scope {
  readonly what: string
  open: boolean
}

/** One for the process, so that two installed copies of this package know of each other's transactions. */
const STORAGE = Symbol.for('waybill.transaction-scope')

/** Absent until the first transaction, so that whoever opens none pays for none. */
type Holder = { [STORAGE]?: AsyncLocalStorage<Scope | undefined> }

/**
 * For stores: runs `work` as a transaction that a bus knows of. Until it ends, `bus.request`, `bus.gather`, `bus.publish`
 * and `bus.send` within it are refused.
 * @param what names the call in the error, such as `inbox.once`
 */
export async function inTransaction<Result>(what: string, work: () => Promise<Result>): Promise<Result> {
  const storage = ((globalThis as Holder)[STORAGE] ??= new AsyncLocalStorage())
  const scope = { what, open: true }
  try {
    return await storage.run(scope, work)
  } finally {
    // what the work left behind may go on after it
    scope.open = false
  }
}

/** Runs `action` as if no transaction were open: what a delivery sets off does not belong to whoever sent it. */
export function outsideTransactions<Argument, Result>(
  action: (argument: Argument) => Result,
  argument: Argument,
): Result {
  const storage = (globalThis as Holder)[STORAGE]
  return storage?.getStore() === undefined ? action(argument) : storage.run(undefined, action, argument)
}

/** @throws {TransactionError} inside `inTransaction` */
export function refuseInTransaction(call: string, instead: string): void {
  const scope = (globalThis as Holder)[STORAGE]?.getStore()
  if (scope?.open !== true) return
  throw new TransactionError(`${call} inside ${scope.what} is no part of its transaction: ${instead}`)
}

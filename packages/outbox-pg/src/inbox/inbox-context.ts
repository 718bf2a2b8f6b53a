import type { Context, Logger, MessageInfo } from '@waybill/core'

/** What a handler under `inbox.once` gets: the context, and the transaction that its effect belongs in. */
export type InboxContext<Trx> = Context & { readonly trx: Trx }

/**
 * The context together with the transaction. The fields of a context may be getters, so it asks for each when it is asked;
 * an object that inherits from the context would do so as well, for more than its other costs together.
 */
export class ContextInTransaction<Trx> implements Context {
  readonly trx: Trx
  readonly #context: Context

  constructor(context: Context, trx: Trx) {
    this.#context = context
    this.trx = trx
  }

  get message(): MessageInfo {
    return this.#context.message
  }

  get service(): string {
    return this.#context.service
  }

  get attempt(): number {
    return this.#context.attempt
  }

  get signal(): AbortSignal {
    return this.#context.signal
  }

  get logger(): Logger {
    return this.#context.logger
  }
}

import { inTransaction, type BatchResult, type Context, type Settlement } from '@waybill/core'
import type { Database, PgClient, PgPool, Queryable } from '../database.ts'
import { isLockTimeout } from '../database-errors.ts'
import { storedKey } from '../index-text.ts'
import { isPool } from '../pg-database.ts'
import { databaseOf } from '../outbox/transactions.ts'
import { Claims, Known, type Claim, type ClaimResult } from './claim.ts'
import { contentHash } from './content-hash.ts'
import { ContextInTransaction, type InboxContext } from './inbox-context.ts'
import {
  INBOX_DEFAULTS,
  resolveInboxOptions,
  resolveOnceOptions,
  type InboxOptions,
  type OnceOptions,
} from './options.ts'
import { onceBatchOf } from './once-batch.ts'
import { rollsBack } from './rolls-back.ts'
import { sweepInbox } from './sweep.ts'
import { StatementNames } from '../statement-names.ts'
import { unready } from './unready.ts'

export type { InboxContext } from './inbox-context.ts'

/** Of a batch, never empty: one for each message, all with the batch's one transaction. */
export type InboxContexts<Trx> = readonly [InboxContext<Trx>, ...InboxContext<Trx>[]]

type Outcome = void | Settlement

/** Counts since the inbox was made. */
export interface InboxCounts {
  readonly handled: number
  /** Copies that were acked without a second effect. */
  readonly duplicates: number
  /** Duplicates whose content differs from the first's. */
  readonly mismatches: number
}

export interface Inbox<Trx = PgClient> extends AsyncDisposable {
  /**
   * A handler whose effect commits exactly once per service, handler and key, however often the message comes. Its
   * transaction commits on `ack` only: any other outcome, or a throw, rolls back. A bus sends nothing inside it unless
   * told `outbox: 'bypass'`, and asks nothing: `TransactionError`.
   * @example on(RentalBooked, inbox.once(async (rental, { trx }) => { await trx.insertInto('invoice')… }))
   */
  once<Data>(
    handler: (data: Data, context: InboxContext<Trx>) => Outcome | Promise<Outcome>,
    options?: OnceOptions<Data>,
  ): (data: Data, context: Context) => Promise<Outcome>
  /**
   * For `onBatch`: the batch's messages share one transaction, and the handler gets those that were not handled before.
   * It commits when all of them are acked; else nothing does, and unless all were settled otherwise or one was alone, core
   * hands over each message alone.
   * @example onBatch(RentalBooked, inbox.onceBatch((rentals, [{ trx }]) => insertAll(trx, rentals)))
   */
  onceBatch<Data>(
    handler: (datas: readonly Data[], contexts: InboxContexts<Trx>) => BatchResult | Promise<BatchResult>,
    options?: OnceOptions<Data>,
  ): (datas: readonly Data[], contexts: readonly Context[]) => Promise<BatchResult>
  /**
   * A responder whose effect commits exactly once: a copy of the request is answered with the stored reply. The reply has
   * to have a form in JSON.
   */
  replyOnce<Data, Reply>(
    responder: (data: Data, context: InboxContext<Trx>) => Reply | Promise<Reply>,
    options?: OnceOptions<Data>,
  ): (data: Data, context: Context) => Promise<Reply>
  /** Forgets at intervals what is older than the retention, until the inbox is disposed. @default everyMs 600_000 */
  startSweeping(options?: { readonly everyMs?: number | undefined }): void
  /** Forgets what is older than the retention; resolves with how many. */
  sweep(): Promise<number>
  readonly counts: InboxCounts
}

/** A handler's options, and the statements that follow from them. */
interface Guard<Data> {
  readonly options: ReturnType<typeof resolveOnceOptions<Data>>
  readonly claims: Claims
}

/** Takes a transaction back without an error: what the handler settled stands. */
class RolledBack extends Error {
  readonly settlement: Outcome
  constructor(settlement: Outcome) {
    super('rolled back')
    this.settlement = settlement
  }
}

/**
 * An inbox: handlers whose effect and whose memory of the message share one transaction.
 * @throws {ConfigError} for an option out of bounds
 */
export function createInbox(options: InboxOptions<PgPool>): Inbox<PgClient>
export function createInbox<Trx>(options: InboxOptions<Database<Trx>>): Inbox<Trx>
export function createInbox<Trx>(options: InboxOptions<Database<Trx> | PgPool>): Inbox<Trx> {
  const { quoted: schema, retentionMs, prepare } = resolveInboxOptions(options)
  const names = new StatementNames(prepare)
  const database = databaseOf<Trx>(options.db)
  // other query builders may wrap them
  const plainErrors = isPool(options.db)
  const explain = unready(schema)
  const counts = { handled: 0, duplicates: 0, mismatches: 0 }
  let timer: NodeJS.Timeout | undefined
  let sweeping: Promise<unknown> = Promise.resolve()

  const count = (
    { message, service, logger }: Context,
    before: { readonly fresh: boolean; readonly same?: boolean },
  ) => {
    if (before.fresh) {
      counts.handled++
      return
    }
    counts.duplicates++
    options.telemetry?.count('inboxDuplicates', { service })
    if (before.same !== false) return
    counts.mismatches++
    const { id, type } = message
    logger.warn({ service, type, id }, 'a message came again under the same key with other content')
  }

  const guardOf = <Data>(given: OnceOptions<Data>): Guard<Data> => {
    const options = resolveOnceOptions(given, retentionMs)
    return { options, claims: new Claims(schema, names, { ...options, plainErrors }) }
  }

  /** Runs `work` unless the message was handled before; then `again` with what was stored. */
  const guarded = async <Data, Result>(
    what: string,
    data: Data,
    context: Context,
    { options: { name, key }, claims }: Guard<Data>,
    work: (context: InboxContext<Trx>, queryable: Queryable, claim: Claim) => Promise<Result>,
    again: (reply: Buffer | null) => Result,
  ): Promise<Result> => {
    const { message } = context
    const claim: Claim = {
      service: context.service,
      handler: name ?? message.type,
      key: storedKey(key?.(data, context) ?? message.dedupeKey ?? message.id),
      hash: contentHash(data),
    }
    let queryable: Queryable | undefined
    let before: ClaimResult | undefined
    const attempt = () =>
      database.transaction<Result>({
        first: {
          statement: claims.statement(claim),
          read: async (claimed, first) => {
            queryable = first
            before = await claims.read(claimed, first, claim).catch(explain)
          },
          explain: (error) => {
            claims.checkKnown(error)
            return explain(error)
          },
        },
        work: (trx) =>
          before!.fresh
            ? work(new ContextInTransaction(context, trx), queryable!, claim)
            : Promise.resolve(again(before!.reply)),
      })
    const result = await inTransaction(what, () =>
      attempt().catch((error: unknown) => {
        if (!(error instanceof Known)) throw error
        return attempt()
      }),
    )
    count(context, before!)
    return result
  }

  const once = <Data>(
    handler: (data: Data, context: InboxContext<Trx>) => Outcome | Promise<Outcome>,
    onceOptions: OnceOptions<Data> = {},
  ) => {
    const guard = guardOf(onceOptions)
    return async (data: Data, context: Context): Promise<Outcome> => {
      try {
        return await guarded<Data, Outcome>(
          'inbox.once',
          data,
          context,
          guard,
          async (inner) => {
            const settlement = await handler(data, inner)
            if (rollsBack(settlement)) throw new RolledBack(settlement)
            return settlement
          },
          () => undefined,
        )
      } catch (error) {
        if (error instanceof RolledBack) return error.settlement
        // another instance is at it: nobody's fault, so it is not counted
        if (isLockTimeout(error)) return { outcome: 'release' }
        throw error
      }
    }
  }

  const onceBatch: Inbox<Trx>['onceBatch'] = <Data>(
    handler: (datas: readonly Data[], contexts: InboxContexts<Trx>) => BatchResult | Promise<BatchResult>,
    onceOptions: OnceOptions<Data> = {},
  ) =>
    onceBatchOf<Data, Trx>(
      {
        database,
        names,
        schema,
        handled: (contexts, results) => contexts.forEach((context, place) => count(context, results[place]!)),
      },
      (datas, contexts) => handler(datas, contexts as unknown as InboxContexts<Trx>),
      resolveOnceOptions(onceOptions, retentionMs),
    )

  const replyOnce = <Data, Reply>(
    responder: (data: Data, context: InboxContext<Trx>) => Reply | Promise<Reply>,
    onceOptions: OnceOptions<Data> = {},
  ) => {
    const guard = guardOf(onceOptions)
    return (data: Data, context: Context): Promise<Reply> =>
      guarded<Data, Reply>(
        'inbox.replyOnce',
        data,
        context,
        guard,
        async (inner, queryable, claim) => {
          const reply = await responder(data, inner)
          const keep = {
            text: `UPDATE ${schema}.inbox SET reply = $4::bytea WHERE service = $1 AND handler = $2 AND scope = '' AND key = $3`,
            values: [claim.service, claim.handler, claim.key, Buffer.from(JSON.stringify(reply ?? null))],
          }
          await names.run(queryable, keep).catch(explain)
          return reply
        },
        (stored) => (stored === null ? null : JSON.parse(stored.toString())) as Reply,
      )
  }

  const sweep = () => sweepInbox(database, schema, retentionMs)
  const stop = async () => {
    clearInterval(timer)
    timer = undefined
    await sweeping
  }
  return {
    once,
    onceBatch,
    replyOnce,
    sweep,
    startSweeping({ everyMs = INBOX_DEFAULTS.sweepEveryMs } = {}) {
      clearInterval(timer)
      // a failed round is made good by the next
      timer = setInterval(() => {
        sweeping = sweep().catch(() => undefined)
      }, everyMs)
      timer.unref()
    },
    get counts() {
      return { ...counts }
    },
    [Symbol.asyncDispose]: stop,
  }
}

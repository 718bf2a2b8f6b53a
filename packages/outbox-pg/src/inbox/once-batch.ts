import { inTransaction, TransactionError, type BatchResult, type Context, type Settlement } from '@waybill/core'
import type { Database } from '../database.ts'
import { isLockTimeout } from '../database-errors.ts'
import { storedKey } from '../index-text.ts'
import { BatchClaims, type BatchClaimResult } from './claim-batch.ts'
import { contentHash } from './content-hash.ts'
import { ContextInTransaction, type InboxContext } from './inbox-context.ts'
import type { resolveOnceOptions } from './options.ts'
import type { StatementNames } from '../statement-names.ts'
import { rollsBack } from './rolls-back.ts'
import { unready } from './unready.ts'

/** Where a batch is handled, and who counts. */
export interface OnceBatchSetting<Trx> {
  readonly database: Database<Trx>
  readonly names: StatementNames
  /** Quoted. */
  readonly schema: string
  /** `results` stand beside `contexts`. */
  handled(contexts: readonly Context[], results: readonly BatchClaimResult[]): void
}

type Settled = Settlement | undefined

/** Takes the batch back without an error: what the handler settled stands. */
class BatchRolledBack extends Error {
  readonly settlements: readonly Settled[]
  constructor(settlements: readonly Settled[]) {
    super('rolled back')
    this.settlements = settlements
  }
}

/** Handles the fresh ones of a batch in one transaction, beside the rows that remember them. */
export function onceBatchOf<Data, Trx>(
  setting: OnceBatchSetting<Trx>,
  handler: (datas: readonly Data[], contexts: readonly InboxContext<Trx>[]) => BatchResult | Promise<BatchResult>,
  given: ReturnType<typeof resolveOnceOptions<Data>>,
): (datas: readonly Data[], contexts: readonly Context[]) => Promise<BatchResult> {
  const { database, names, schema } = setting
  const explain = unready(schema)

  const settle = async (trx: Trx, datas: readonly Data[], contexts: readonly Context[]): Promise<readonly Settled[]> =>
    eachOf(
      await handler(
        datas,
        contexts.map((context) => new ContextInTransaction(context, trx)),
      ),
      datas.length,
    )

  return async (datas, contexts) => {
    if (contexts.length === 0) return []
    const wanted = contexts.map((context, place) => ({
      handler: given.name ?? context.message.type,
      key: storedKey(given.key?.(datas[place]!, context) ?? context.message.dedupeKey ?? context.message.id),
      hash: contentHash(datas[place]),
    }))
    const claims = new BatchClaims(schema, contexts[0]!.service, wanted)
    let results: readonly BatchClaimResult[] = []
    try {
      await inTransaction('inbox.onceBatch', () =>
        database.transaction({
          first: {
            statement: names.named(claims.statement(given)),
            read: async (result, queryable) => void (results = await claims.read(result, queryable)),
            explain,
          },
          work: async (trx) => {
            const fresh = results.flatMap(({ fresh }, place) => (fresh ? [place] : []))
            if (fresh.length === 0) return
            const settlements = await settle(
              trx,
              fresh.map((place) => datas[place]!),
              fresh.map((place) => contexts[place]!),
            )
            if (!settlements.some(rollsBack)) return
            const byPlace = new Map(fresh.map((place, index) => [place, settlements[index]]))
            // a copy within the batch fares as its first; what was handled before needs nothing more
            throw new BatchRolledBack(results.map(({ first }) => byPlace.get(first)))
          },
        }),
      )
    } catch (error) {
      if (error instanceof BatchRolledBack) return settlementsOf(error.settlements, results)
      // alone, so that one that another instance is at holds up no other; uncounted, since it is nobody's fault
      if (isLockTimeout(error) && contexts.length === 1) return { outcome: 'release' }
      throw error
    }
    setting.handled(contexts, results)
    return undefined
  }
}

/**
 * One settlement for each message.
 * @throws {TypeError} for a list that does not fit
 */
function eachOf(given: BatchResult, count: number): readonly Settled[] {
  if (!Array.isArray(given)) return Array.from({ length: count }, () => (given ?? undefined) as Settled)
  if (given.length === count) return given as readonly Settled[]
  throw new TypeError(`a batch of ${count} messages got ${given.length} settlements: return one for each`)
}

/** @throws {TransactionError} for outcomes that one transaction can't have at once: then each is handled alone */
function settlementsOf(settlements: readonly Settled[], results: readonly BatchClaimResult[]): readonly Settled[] {
  if (results.some(({ fresh }, place) => fresh && !rollsBack(settlements[place]))) {
    throw new TransactionError('some messages of the batch were acked and others not: each is handled alone')
  }
  return settlements
}

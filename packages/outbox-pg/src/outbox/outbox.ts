import {
  encode,
  inTransaction,
  systemPorts,
  TransactionError,
  type CommandDefinition,
  type DataIn,
  type Definition,
  type EventDefinition,
  type SendOptions,
  type WireMessage,
} from '@waybill/core'
import type { Database, PgClient, PgPool, PgStatement, Queryable } from '../database.ts'
import { inserter, type NewRow } from '../insert.ts'
import { runStatement } from '../pg-database.ts'
import { StatementNames } from '../statement-names.ts'
import { keyLockStatement } from './key-lock.ts'
import { checkLimits } from './limits.ts'
import { resolveOutboxOptions, type OutboxOptions } from './options.ts'
import { databaseOf, explain, queryableOf } from './transactions.ts'
import { tracing } from './tracing.ts'
import { channelOf, Notifier, Wake } from '../wake.ts'

/** Collects messages that are written with COMMIT. */
export interface OutboxMessages {
  /** @throws {ValidationError} the data does not fit (an asynchronous schema says so before COMMIT) */
  publish<D extends EventDefinition>(event: D, data: DataIn<D>, options?: SendOptions): void
  /** @throws {ValidationError} the data does not fit (an asynchronous schema says so before COMMIT) */
  send<D extends CommandDefinition>(command: D, data: DataIn<D>, options?: SendOptions): void
}

/** Writes messages at once, in a transaction of the user's own. */
export interface OutboxWriter {
  /** Resolves with the message id when the row is inserted. */
  publish<D extends EventDefinition>(event: D, data: DataIn<D>, options?: SendOptions): Promise<string>
  /** Resolves with the message id when the row is inserted. */
  send<D extends CommandDefinition>(command: D, data: DataIn<D>, options?: SendOptions): Promise<string>
}

export interface Outbox<Trx = PgClient> {
  /**
   * Runs `work` in a transaction and writes its messages with COMMIT: they exist if and only if the rest of it does. What
   * a bus sends inside it would leave at once, so a bus refuses it with a `TransactionError`.
   * @throws {TransactionError} COMMIT became a rollback
   */
  transaction<R>(work: (trx: Trx, messages: OutboxMessages) => Promise<R>): Promise<R>
  /**
   * For those who own their transaction: kysely's `trx`, a pg client, or anything with `query`. Publish after writing the
   * row that the message is about, so that its row lock keeps the key's order.
   * @throws {TransactionError} as rejection, for a client that is in no transaction, or in a failed one
   */
  in(trx: Trx | Queryable): OutboxWriter
  /** Runs `listener` when something was, or may have been, committed here; the returned function ends it. */
  onCommit(listener: () => void): () => void
  readonly schema: string
  /** The carrier of definitions that name none. */
  readonly transport: string | undefined
}

/**
 * An outbox: messages that leave if and only if the transaction they were written in commits.
 * @example const outbox = createOutbox({ db: fromKysely(db), source: '/rentals' })
 * @throws {ConfigError} for an option out of bounds
 */
export function createOutbox(options: OutboxOptions<PgPool>): Outbox<PgClient>
export function createOutbox<Trx>(options: OutboxOptions<Database<Trx>>): Outbox<Trx>
export function createOutbox<Trx>(options: OutboxOptions<Database<Trx> | PgPool>): Outbox<Trx> {
  const resolved = resolveOutboxOptions(options)
  const { quoted: schema, transport, dedupeMs, source } = resolved
  const database = databaseOf<Trx>(options.db)
  const wake = new Wake()
  const names = new StatementNames(resolved.prepare)
  const insertsOf = inserter({ schema, transport, dedupeMs })
  const notifier = options.wake && new Notifier(options.wake, channelOf(resolved.schema))
  const context = { source, ports: systemPorts }

  /** The message as the outbox keeps it: its time is the database's at insert. */
  const prepare = <D extends Definition>(definition: D, data: DataIn<D>, given: SendOptions = {}) => {
    const finish = (message: WireMessage): NewRow => {
      checkLimits(message, resolved)
      const { time: _time, ...attributes } = message.attributes
      return { message: { ...message, attributes }, dedupeKey: given.dedupeKey }
    }
    const message = encode(definition, data, given, context)
    const traced = options.telemetry === undefined ? finish : tracing(options.telemetry, transport, finish)
    return message instanceof Promise ? message.then(traced) : traced(message)
  }
  const statements = (rows: readonly NewRow[]): readonly PgStatement[] => {
    const inserts = insertsOf(rows)
    const lock = resolved.keyLock ? keyLockStatement(schema, rows) : undefined
    const all = lock ? [lock, ...inserts] : inserts
    return all.map((statement) => names.named(statement))
  }

  const transaction = async <R>(work: (trx: Trx, messages: OutboxMessages) => Promise<R>): Promise<R> => {
    const collected: (NewRow | Promise<NewRow>)[] = []
    let open = true
    const collect = <D extends Definition>(definition: D, data: DataIn<D>, given?: SendOptions) => {
      if (!open) throw new TransactionError(`"${definition.wireType}" was published after its transaction had ended`)
      const row = prepare(definition, data, given)
      // the rejection of an asynchronous schema is read before COMMIT, which may be later than Node waits
      if (row instanceof Promise) row.catch(() => undefined)
      collected.push(row)
    }
    const result = await inTransaction('outbox.transaction', () =>
      database.transaction<R>({
        work: (trx) => work(trx, { publish: collect, send: collect }),
        last: async () => {
          open = false
          return collected.length === 0
            ? []
            : statements(await Promise.all(collected.map((row) => Promise.resolve(row))))
        },
      }),
    )
      .catch(explain)
      .finally(() => (open = false))
    if (collected.length > 0) {
      wake.fire()
      notifier?.notify()
    }
    return result
  }

  const writer = (trx: unknown): OutboxWriter => {
    const write = async <D extends Definition>(
      definition: D,
      data: DataIn<D>,
      given?: SendOptions,
    ): Promise<string> => {
      const row = await prepare(definition, data, given)
      const queryable = await queryableOf(trx, database, schema)
      for (const statement of statements([row])) await runStatement(queryable, statement).catch(explain)
      wake.hint()
      return row.message.id
    }
    return { publish: write, send: write }
  }

  return Object.freeze({
    transaction,
    in: writer,
    onCommit: (listener: () => void) => wake.listen(listener),
    schema: resolved.schema,
    transport,
  })
}

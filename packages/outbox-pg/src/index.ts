export type {
  Database,
  FirstStatement,
  PgClient,
  PgStatement,
  PgPool,
  Queryable,
  QueryResult,
  TransactionPlan,
} from './database.ts'
export { fromKysely, type KyselyLike } from './kysely.ts'
export { rolesSql, type RolesOptions } from './migrations/roles.ts'
export { migrate, migrations, migrationSql, type MigrateOptions, type OutboxMigrations } from './migrations/index.ts'
export { OUTBOX_DEFAULTS, type OutboxLimits, type OutboxOptions } from './outbox/options.ts'
export { createOutbox, type Outbox, type OutboxMessages, type OutboxWriter } from './outbox/outbox.ts'
export { POSTGRES_DEFAULTS, type PostgresOptions } from './postgres/options.ts'
export { postgres } from './postgres/transport.ts'
export { createInbox, type Inbox, type InboxContext, type InboxContexts, type InboxCounts } from './inbox/inbox.ts'
export { INBOX_DEFAULTS, type InboxOptions, type OnceOptions } from './inbox/options.ts'
export { runPlan } from './run-plan.ts'
export { RELAY_DEFAULTS, type RelayOptions } from './relay/options.ts'
export { startRelay, type Relay } from './relay/relay.ts'
export { parkedPg, type ParkedStoreOptions } from './parked-store.ts'
export type { LogFacts } from './status/log-facts.ts'
export { logStatus, type LogStatus, type LogStatusOptions } from './status/log-status.ts'
export type { Problem } from './status/problems.ts'
export type { DestinationStatus, ReaderStatus } from './status/reader-status.ts'
export type { OpenWriter } from './status/writers.ts'

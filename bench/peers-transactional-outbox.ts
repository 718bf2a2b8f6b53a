// pg-transactional-outbox by its polling listener (the other one needs wal_level=logical), without its protections against
// messages that fail or crash, and asked for half a batch at least: each look is a pass over its whole backlog.
import { randomUUID } from 'node:crypto'
import { setTimeout as wait } from 'node:timers/promises'
import {
  DatabaseSetup,
  getDisabledLogger,
  initializeMessageStorage,
  initializePollingMessageListener,
  type PollingListenerConfig,
} from 'pg-transactional-outbox'
import type { BenchDatabase } from './bench-database.ts'
import { KIB } from './outbox-log.ts'
import type { Peer } from './peer.ts'

const BATCH = 500

export async function transactionalOutbox({ pool, connectionString, schema: own }: BenchDatabase): Promise<Peer> {
  const schema = `${own}_polling`
  const table = 'outbox'
  const setup = {
    outboxOrInbox: 'outbox',
    database: 'postgres',
    schema,
    table,
    listenerRole: 'postgres',
    nextMessagesName: 'next_outbox_messages',
  } as const
  await pool.query(DatabaseSetup.dropAndCreateTable(setup))
  await pool.query(DatabaseSetup.createPollingFunction(setup))
  await pool.query(DatabaseSetup.setupPollingIndexes(setup))
  const config: PollingListenerConfig = {
    outboxOrInbox: 'outbox',
    dbListenerConfig: { connectionString },
    settings: {
      dbSchema: schema,
      dbTable: table,
      nextMessagesFunctionSchema: schema,
      nextMessagesFunctionName: setup.nextMessagesName,
      nextMessagesBatchSize: BATCH,
      nextMessagesLockInMs: 60_000,
      nextMessagesPollingIntervalInMs: 10,
      enableMaxAttemptsProtection: false,
      enablePoisonousMessageProtection: false,
      messageCleanupIntervalInMs: 0,
    },
  }
  const store = initializeMessageStorage(config, getDisabledLogger())
  const batchSizeStrategy = async (running: number) => {
    if (running <= BATCH / 2) return BATCH
    await wait(1)
    return 0
  }
  return {
    name: 'pg-transactional-outbox',
    settings: `polling, ${BATCH} at once, parallel`,
    backlog: 5_000,
    adds: 'its message storage',
    async fill(count) {
      await pool.query(`TRUNCATE "${schema}".${table}`)
      await pool.query(
        `INSERT INTO "${schema}".${table} (id, aggregate_type, aggregate_id, message_type, concurrency, payload)
         SELECT gen_random_uuid(), 'bench', n, 'happened', 'parallel', $2 FROM generate_series(1, $1::int) n`,
        [count, KIB],
      )
      await pool.query(`ANALYZE "${schema}".${table}`)
    },
    work(handled) {
      const handler = { handle: () => Promise.resolve(handled()) }
      const [stop] = initializePollingMessageListener(config, handler, getDisabledLogger(), { batchSizeStrategy })
      return Promise.resolve({ [Symbol.asyncDispose]: stop })
    },
    enqueue: (client) =>
      store(
        {
          id: randomUUID(),
          aggregateType: 'bench',
          aggregateId: '1',
          messageType: 'happened',
          concurrency: 'parallel',
          payload: KIB,
        },
        client,
      ),
    async [Symbol.asyncDispose]() {
      await pool.query(`DROP SCHEMA "${schema}" CASCADE`)
    },
  }
}

// pg-boss with all that makes it faster and nothing that works beside: a table of its own for the queue, jobs inserted
// and fetched by the thousand, workers that go on without a pause while batches are full.
import { PgBoss } from 'pg-boss'
import type { BenchDatabase } from './bench-database.ts'
import { KIB } from './outbox-log.ts'
import { byThousands, type Peer } from './peer.ts'

const QUEUE = 'bench'
const WORKERS = 4
const BATCH = 1_000

export async function pgBoss({ pool, connectionString, schema: own }: BenchDatabase): Promise<Peer> {
  const schema = `${own}_boss`
  const boss = new PgBoss({
    connectionString,
    schema,
    supervise: false,
    schedule: false,
    registerInstance: false,
    openTelemetry: { enabled: false },
  })
  await boss.start()
  await boss.createQueue(QUEUE, { partition: true })
  const { table } = (await boss.getQueue(QUEUE))!
  return {
    name: 'pg-boss',
    settings: `${WORKERS} workers, batchSize ${BATCH}, burstWhenBatchFull`,
    backlog: 50_000,
    adds: 'send({ db })',
    async fill(count) {
      await boss.deleteAllJobs(QUEUE)
      await byThousands(count, (size) =>
        boss.insert(
          QUEUE,
          Array.from({ length: size }, () => ({ data: KIB })),
        ),
      )
      await pool.query(`ANALYZE "${schema}"."${table}"`)
    },
    async work(handled) {
      const options = {
        batchSize: BATCH,
        localConcurrency: WORKERS,
        burstWhenBatchFull: true,
        pollingIntervalSeconds: 0.5,
      } as const
      await boss.work(QUEUE, options, (jobs) => {
        for (let job = 0; job < jobs.length; job++) handled()
        return Promise.resolve()
      })
      return { [Symbol.asyncDispose]: () => boss.offWork(QUEUE) }
    },
    enqueue: (client) =>
      boss.send(QUEUE, KIB, { db: { executeSql: (text, values) => client.query(text, values as unknown[]) } }),
    async [Symbol.asyncDispose]() {
      await boss.stop({ graceful: false })
      await pool.query(`DROP SCHEMA "${schema}" CASCADE`)
    },
  }
}

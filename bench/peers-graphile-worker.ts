// graphile-worker, set as for the figures of its own manual: https://worker.graphile.org/docs/performance
import type { BenchDatabase } from './bench-database.ts'
import { KIB } from './outbox-log.ts'
import { byThousands, type Peer } from './peer.ts'

const TASK = 'bench'

export async function graphileWorker({ pool, connectionString, schema: own }: BenchDatabase): Promise<Peer> {
  // a line for each job that succeeds; read when its modules load
  process.env.NO_LOG_SUCCESS ??= '1'
  const { Logger, makeWorkerUtils, run } = await import('graphile-worker')
  const schema = `${own}_graphile`
  const preset = {
    worker: {
      connectionString,
      schema,
      concurrentJobs: 24,
      maxPoolSize: 25,
      localQueue: { size: 500 },
      completeJobBatchDelay: 0,
      failJobBatchDelay: 0,
      logger: new Logger(() => () => {}),
    },
  }
  const utils = await makeWorkerUtils({ preset })
  await utils.migrate()
  const add = { name: 'bench-add-job', text: `SELECT "${schema}".add_job($1, $2)` }
  return {
    name: 'graphile-worker',
    settings: 'concurrentJobs 24, localQueue 500, completions batched',
    backlog: 50_000,
    adds: 'add_job',
    async fill(count) {
      await pool.query(`TRUNCATE "${schema}"._private_jobs`)
      await byThousands(count, (size) =>
        utils.addJobs(Array.from({ length: size }, () => ({ identifier: TASK, payload: KIB }))),
      )
      await pool.query(`ANALYZE "${schema}"._private_jobs`)
    },
    async work(handled) {
      const taskList = { [TASK]: () => handled() }
      const runner = await run({ preset, taskList, parsedCronItems: [], noHandleSignals: true })
      return { [Symbol.asyncDispose]: () => runner.stop() }
    },
    enqueue: (client) => client.query({ ...add, values: [TASK, JSON.stringify(KIB)] }),
    async [Symbol.asyncDispose]() {
      await utils.release()
      await pool.query(`DROP SCHEMA "${schema}" CASCADE`)
    },
  }
}

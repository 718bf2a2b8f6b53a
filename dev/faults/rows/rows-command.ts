import { say } from '../../bootstrap/paths.mjs'
import { startKafka, startPostgres, startRabbitMq, type RabbitMqVersion } from '../../servers/index.ts'
import { CARRIERS, type CarrierAt, type CarrierName } from './carrier.ts'
import { rowsReport } from './rows-report.ts'
import { ROWS, runRows, type RowRun } from './run-rows.ts'
import { clean } from './verdict.ts'

export interface RowsCommand {
  readonly rows: readonly string[]
  readonly carriers: readonly string[]
  readonly rabbitmq: RabbitMqVersion
  readonly seed: number
  readonly runs: number
  /** @default as long as the matrix says */
  readonly faultMs?: number | undefined
}

/**
 * `npm run faults -- --rows …`: on servers of its own. Resolves with whether all was well: a row that was asked for and
 * can't be run, here or yet, did not pass.
 */
export async function rowsCommand({ rows, carriers, rabbitmq, seed, runs, faultMs }: RowsCommand): Promise<boolean> {
  const known = ROWS.filter(({ row }) => rows.includes('all') || rows.includes(String(row))).map(({ row }) => row)
  const missing = rows.filter((row) => row !== 'all' && !known.map(String).includes(row))
  if (missing.length > 0) say(`rows without a harness yet, not run: ${missing.join(', ')}`)
  if (known.length === 0) throw new Error(`--rows: there are ${ROWS.map(({ row }) => row).join(', ')}`)
  await using servers = new AsyncDisposableStack()
  const { url } = servers.use(await startPostgres({ direct: true }))
  const at: CarrierAt[] = []
  for (const name of carriers) at.push(await start(name, servers, rabbitmq))
  const done: RowRun[] = []
  try {
    await runRows({
      url,
      carriers: at,
      rows: known,
      seeds: Array.from({ length: runs }, (_, index) => seed + index),
      faultMs,
      parallel: 2,
      onRun(run) {
        done.push(run)
        const { row, carrier, verdict, note } = run
        if (!passed(run)) {
          say(`row ${row.row} on ${carrier}, seed ${run.seed}: ${verdict ? JSON.stringify(verdict) : ''} ${note ?? ''}`)
        }
      },
    })
  } finally {
    // what was learned until something broke is worth having
    console.log(rowsReport(done))
  }
  return missing.length === 0 && done.every(passed)
}

const passed = ({ verdict }: RowRun): boolean => verdict !== undefined && clean(verdict)

async function start(name: string, servers: AsyncDisposableStack, rabbitmq: RabbitMqVersion): Promise<CarrierAt> {
  if (!CARRIERS.includes(name as CarrierName)) {
    throw new Error(`--transport ${name}: rows run on ${CARRIERS.join(', ')}`)
  }
  if (name === 'postgres') return { name }
  if (name === 'kafka') return { name, url: servers.use(await startKafka({ direct: true })).url }
  return { name: 'amqp', url: servers.use(await startRabbitMq({ direct: true, version: rabbitmq })).url }
}

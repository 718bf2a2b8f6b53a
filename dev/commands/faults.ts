// npm run faults -- --transport amqp,postgres --cases 47-60 --seed 7: the cases that need a broker of their own.
import { parseArgs } from 'node:util'
import { say } from '../bootstrap/paths.mjs'
import '../faults/resolve-sources.ts'

const HELP = `npm run faults -- [options]
  --transport  amqp, kafka, postgres; several with commas                   default: amqp,postgres; for rows: postgres
  --rabbitmq   3.10, 4.0 or 4.3                                              default: 4.0
  --cases      such as 39,47-60, or all                                      default: 39,43,45,47-60
  --rows       such as 1-10,12, or all: rows of the matrix from outbox to inbox, in place of the cases
  --cluster    leader, majority, or all: on three nodes of RabbitMQ, in place of the cases
  --runs       seeds per row or fault, from --seed on                              default: 3
  --seed       repeats the choices of a run
  --volume     messages of the biggest case                          default: 5000
  --fault-s    how long a broker is away, silent or blocked          default: 20; for rows: each its own
  --soak-s     how long cases 59 and 60 go on                        default: 60`

const { values } = parseArgs({
  options: {
    transport: { type: 'string' },
    rabbitmq: { type: 'string', default: '4.0' },
    cases: { type: 'string', default: '39,43,45,47-60' },
    rows: { type: 'string' },
    cluster: { type: 'string' },
    runs: { type: 'string', default: '3' },
    seed: { type: 'string' },
    volume: { type: 'string', default: '5000' },
    'fault-s': { type: 'string' },
    'soak-s': { type: 'string', default: '60' },
    help: { type: 'boolean', default: false },
  },
})

// after the hooks that lead to the sources
const { runCases, reportText } = await import('@waybill/core/testing')
const { rabbitMqVersion } = await import('../servers/index.ts')
const { PATIENCE } = await import('../faults/rig.ts')
const rigs = {
  amqp: async () => (await import('../faults/rabbitmq.ts')).rabbitMqRig(rabbitMqVersion(values.rabbitmq)),
  kafka: async () => (await import('../faults/kafka.ts')).kafkaRig(),
  postgres: async () => (await import('../faults/postgres.ts')).postgresRig(),
}

const faultMs = values['fault-s'] === undefined ? undefined : 1_000 * Number(values['fault-s'])

function casesOf(text: string): string[] {
  return text.split(',').flatMap((part) => {
    const [from, to = from] = part.split('-')
    const [first, last] = [Number(from), Number(to)]
    if (Number.isNaN(first) || Number.isNaN(last)) return [part]
    return Array.from({ length: last - first + 1 }, (_, index) => String(first + index))
  })
}

async function run(transport: string): Promise<boolean> {
  const start = Object.hasOwn(rigs, transport) ? rigs[transport as keyof typeof rigs] : undefined
  if (start === undefined) throw new Error(`--transport ${transport}: it is one of ${Object.keys(rigs).join(', ')}`)
  await using rig = await start()
  const report = await runCases({
    ...PATIENCE,
    ...rig.suite,
    ...(values.cases !== 'all' && { only: casesOf(values.cases) }),
    volume: Number(values.volume),
    faultMs: faultMs ?? 20_000,
    soakMs: 1_000 * Number(values['soak-s']),
    onResult: ({ id, outcome, durationMs }) =>
      say(`${transport} ${id} ${outcome} (${Math.round(durationMs / 1_000)} s)`),
    ...(values.seed !== undefined && { seed: Number(values.seed) }),
  })
  console.log(reportText(report))
  return report.results.every(({ outcome }) => outcome !== 'failed')
}

if (values.help) console.log(HELP)
else {
  try {
    const [seed, runs] = [Number(values.seed ?? 1), Number(values.runs)]
    const rabbitmq = rabbitMqVersion(values.rabbitmq)
    if (values.cluster !== undefined) {
      const { clusterCommand } = await import('../faults/cluster/cluster-command.ts')
      const faults = values.cluster.split(',')
      if (!(await clusterCommand({ faults, rabbitmq, seed, runs }))) process.exitCode = 1
    } else if (values.rows !== undefined) {
      const { rowsCommand } = await import('../faults/rows/rows-command.ts')
      const carriers = (values.transport ?? 'postgres').split(',')
      if (!(await rowsCommand({ rows: casesOf(values.rows), carriers, rabbitmq, seed, runs, faultMs })))
        process.exitCode = 1
    } else
      for (const transport of (values.transport ?? 'amqp,postgres').split(','))
        if (!(await run(transport))) process.exitCode = 1
  } catch (error) {
    say((error as Error).message)
    process.exitCode = 1
  }
}
process.exit()

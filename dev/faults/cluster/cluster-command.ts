import { say } from '../../bootstrap/paths.mjs'
import { startRabbitMqCluster, type RabbitMqVersion } from '../../servers/index.ts'
import { FAULTS, type ClusterFault, type ClusterRun } from './cluster-runs.ts'

export interface ClusterCommand {
  readonly faults: readonly string[]
  readonly rabbitmq: RabbitMqVersion
  readonly seed: number
  readonly runs: number
}

/** `npm run faults -- --cluster …`: on three nodes of its own. Resolves with whether all was well. */
export async function clusterCommand({ faults, rabbitmq, seed, runs }: ClusterCommand): Promise<boolean> {
  const names = faults.includes('all') ? Object.keys(FAULTS) : faults
  for (const name of names) {
    if (!Object.hasOwn(FAULTS, name))
      throw new Error(`--cluster ${name}: it is one of ${Object.keys(FAULTS).join(', ')}`)
  }
  await using cluster = await startRabbitMqCluster(rabbitmq)
  const done: ClusterRun[] = []
  try {
    for (const name of names) {
      for (let index = 0; index < runs; index++) {
        const run = await FAULTS[name as ClusterFault](cluster, seed + index)
        done.push(run)
        const { fault, verdict, failures, complaints } = run
        say(`${fault}, seed ${run.seed}: ${passed(run) ? 'passed' : JSON.stringify(verdict)}`)
        for (const text of [...failures, ...complaints]) say(`  ${text}`)
      }
    }
  } finally {
    console.log(report(done))
  }
  return done.every(passed)
}

function passed({ verdict: { lost, unexpected, disordered }, complaints }: ClusterRun): boolean {
  return lost + unexpected + disordered === 0 && complaints.length === 0
}

function report(runs: readonly ClusterRun[]): string {
  const faults = [...new Set(runs.map(({ fault }) => fault))]
  const lines = faults.map((fault) => {
    const own = runs.filter((run) => run.fault === fault)
    const sum = (of: (run: ClusterRun) => number) => own.reduce((total, run) => total + of(run), 0)
    const most = (of: (run: ClusterRun) => number) => Math.max(...own.map(of))
    return [
      fault,
      own.length,
      sum(({ kills }) => kills),
      sum(({ verdict }) => verdict.confirmed),
      sum(({ verdict }) => verdict.lost),
      sum(({ verdict }) => verdict.disordered),
      sum(({ verdict }) => verdict.unexpected),
      sum(({ verdict }) => verdict.copies),
      most(({ verdict }) => verdict.confirmPauseMs),
      most(({ verdict }) => verdict.deliveryPauseMs),
    ]
  })
  return [
    '| fault | runs | kills | confirmed | lost | out of order | unexpected | copies | longest pause of confirms, ms | of deliveries, ms |',
    '| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |',
    ...lines.map((cells) => `| ${cells.join(' | ')} |`),
  ].join('\n')
}

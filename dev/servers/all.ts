import { say } from '../bootstrap/paths.mjs'
import { startKafka } from './kafka.ts'
import { startPostgres } from './postgres.ts'
import { startRabbitMq } from './rabbitmq.ts'
import type { RabbitMqVersion } from './rabbitmq-files.ts'
import type { Server } from './server.ts'

const STARTERS = {
  DATABASE_URL: { name: 'PostgreSQL', start: startPostgres },
  AMQP_URL: { name: 'RabbitMQ', start: startRabbitMq },
  KAFKA_BROKERS: { name: 'Kafka', start: startKafka },
} as const

export type Variable = keyof typeof STARTERS

export interface AllServers extends AsyncDisposable {
  /** Where each of the three is reached, by the name of its environment variable. */
  readonly urls: Readonly<Record<Variable, string>>
}

/** Starts what the environment doesn't name, all at once; when one fails, the others are stopped again. */
export async function startAll(
  environment: NodeJS.ProcessEnv = process.env,
  rabbitMq?: RabbitMqVersion,
): Promise<AllServers> {
  const started: Server[] = []
  const urls: Partial<Record<Variable, string>> = {}
  const dispose = async () => {
    await Promise.all(started.map((server) => server[Symbol.asyncDispose]()))
  }
  const results = await Promise.allSettled(
    Object.entries(STARTERS).map(async ([variable, { name, start }]) => {
      const given = environment[variable]
      if (given) {
        say(`${name}: the one of ${variable}`)
        urls[variable as Variable] = given
        return
      }
      const startedAt = Date.now()
      const server = await start({ direct: true, version: rabbitMq })
      started.push(server)
      urls[variable as Variable] = server.url
      say(`${name} ready in ${((Date.now() - startedAt) / 1000).toFixed(1)} s (log: ${server.logFile})`)
    }),
  )
  const failures = results.flatMap((result) => (result.status === 'rejected' ? [result.reason as unknown] : []))
  if (failures.length > 0) {
    await dispose()
    const words = failures.map((failure) => (failure instanceof Error ? failure.message : String(failure)))
    throw new Error(words.join('\n'), { cause: failures[0] })
  }
  return { urls: urls as Record<Variable, string>, [Symbol.asyncDispose]: dispose }
}

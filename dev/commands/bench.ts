// npm run bench -- --only writes --pairs 5: what Waybill adds to its raw limits, in pairs of one run.
import { loadavg } from 'node:os'
import { parseArgs } from 'node:util'
import { say } from '../bootstrap/paths.mjs'
import '../faults/resolve-sources.ts'
import { startKafka, startPostgres, startRabbitMq, type Server } from '../servers/index.ts'
import type { BenchRow } from '../../bench/row.ts'

const HELP = `npm run bench -- [options]
  --only   writes, inbox, drain, peers, latency, idle, cycles, backlog,
           relay-rabbitmq, relay-kafka, inbox-rabbitmq, amqp-publish,
           amqp-consume, amqp-request, amqp-reconnect;
           several with commas                  default: all
  --rows   of one cycle, a tenth of the backlog default: 100000
  --pairs  how often each is repeated           default: 5
  --s      how long one run takes, in seconds   default: 3
The servers of DATABASE_URL, AMQP_URL and KAFKA_BROKERS, or its own; only those that are needed.`

interface Bench {
  readonly needs: readonly (keyof typeof SERVERS)[]
  run(): Promise<BenchRow[]>
}

const SERVERS = { DATABASE_URL: startPostgres, AMQP_URL: startRabbitMq, KAFKA_BROKERS: startKafka } as const

const { values } = parseArgs({
  options: {
    only: { type: 'string' },
    pairs: { type: 'string', default: '5' },
    s: { type: 'string', default: '3' },
    rows: { type: 'string', default: '100000' },
    help: { type: 'boolean', default: false },
  },
})
const pairs = Number(values.pairs)
const durationMs = 1_000 * Number(values.s)
const rows = Number(values.rows)

// after the hooks that lead to the sources
const benches: Readonly<Record<string, Bench>> = {
  writes: {
    needs: ['DATABASE_URL'],
    run: async () => {
      const { outboxWrites } = await import('../../bench/outbox-writes.ts')
      return [...(await outboxWrites(8, pairs, durationMs)), ...(await outboxWrites(16, pairs, durationMs))]
    },
  },
  inbox: {
    needs: ['DATABASE_URL'],
    run: async () => (await import('../../bench/inbox.ts')).inboxCost(pairs, durationMs),
  },
  drain: {
    needs: ['DATABASE_URL'],
    run: async () => (await import('../../bench/drain.ts')).drain(pairs),
  },
  peers: {
    needs: ['DATABASE_URL'],
    run: async () => (await import('../../bench/peers.ts')).peers(pairs, durationMs),
  },
  latency: {
    needs: ['DATABASE_URL', 'AMQP_URL'],
    run: async () => (await import('../../bench/latency.ts')).latency(pairs, durationMs),
  },
  idle: {
    needs: ['DATABASE_URL'],
    run: async () => (await import('../../bench/idle.ts')).idle(pairs, 3 * durationMs),
  },
  cycles: {
    needs: ['DATABASE_URL'],
    run: async () => (await import('../../bench/cycles.ts')).cycles(rows),
  },
  backlog: {
    needs: ['DATABASE_URL'],
    run: async () => (await import('../../bench/backlog.ts')).backlog(10 * rows),
  },
  'inbox-rabbitmq': {
    needs: ['DATABASE_URL', 'AMQP_URL'],
    run: async () => (await import('../../bench/inbox-rabbitmq.ts')).inboxBehindRabbitMq(pairs),
  },
  'relay-rabbitmq': {
    needs: ['DATABASE_URL', 'AMQP_URL'],
    run: async () => (await import('../../bench/relay-rabbitmq.ts')).relayToRabbitMq(pairs),
  },
  'relay-kafka': {
    needs: ['DATABASE_URL', 'KAFKA_BROKERS'],
    run: async () => (await import('../../bench/relay-kafka.ts')).relayToKafka(pairs),
  },
  'amqp-publish': {
    needs: ['AMQP_URL'],
    run: async () => (await import('../../bench/amqp-publish.ts')).amqpPublish(pairs, durationMs),
  },
  'amqp-consume': {
    needs: ['AMQP_URL'],
    run: async () => (await import('../../bench/amqp-consume.ts')).amqpConsume(pairs),
  },
  'amqp-request': {
    needs: ['AMQP_URL'],
    run: async () => (await import('../../bench/amqp-request.ts')).amqpRequest(pairs, durationMs),
  },
  'amqp-reconnect': {
    needs: [],
    run: async () => (await import('../../bench/amqp-reconnect.ts')).amqpReconnect(pairs),
  },
}

async function run(): Promise<void> {
  const names = values.only?.split(',') ?? Object.keys(benches)
  for (const name of names) {
    if (!Object.hasOwn(benches, name))
      throw new Error(`--only ${name}: it is one of ${Object.keys(benches).join(', ')}`)
  }
  if (!(Number.isSafeInteger(pairs) && pairs >= 1))
    throw new Error(`--pairs ${values.pairs}: give a whole number from 1`)
  if (!(Number.isSafeInteger(rows) && rows >= 1_000))
    throw new Error(`--rows ${values.rows}: give a whole number from 1000`)
  if (!(durationMs > 0)) throw new Error(`--s ${values.s}: give seconds above 0`)
  await using own = new AsyncDisposableStack()
  for (const variable of new Set(names.flatMap((name) => benches[name]!.needs))) {
    if (process.env[variable]) continue
    const server: Server = own.use(await SERVERS[variable]({ direct: true, durable: true }))
    process.env[variable] = server.url
  }
  const { tableOf } = await import('../../bench/row.ts')
  const table: BenchRow[] = []
  for (const name of names) {
    say(`${name}, load ${loadavg()[0]!.toFixed(1)}`)
    table.push(...(await benches[name]!.run()))
  }
  console.log(tableOf(table))
}

if (values.help) console.log(HELP)
else {
  try {
    await run()
  } catch (error) {
    say((error as Error).message)
    process.exitCode = 1
  }
}
process.exit()

import {
  createBus,
  defineCommand,
  defineEvent,
  on,
  retryPolicy,
  UnrecoverableError,
  type Bus,
  type Transport,
} from '@waybill/core'
import { afterAll, beforeAll, expect, it, vi } from 'vitest'
import { z } from 'zod'
import { startRabbitMq, type RabbitMq } from '../../../dev/servers/index.ts'
import { amqp, recordDefinitions, type RabbitMqDefinitions } from './index.ts'

const schema = z.object({ key: z.string(), n: z.number() })
const Happened = defineEvent('rental.happened', {
  destination: { name: 'rentals' },
  schema,
  orderingKey: (at) => at.key,
})
const Ended = defineEvent('rental.ended', { destination: { name: 'rentals' }, schema })
const Do = defineCommand('mail.do', { schema })
const options = { shards: { billing: 2 }, queues: { mail: 'letters' }, retryStepsMs: [200, 1_000] }
const PATIENCE = { timeout: 20_000, interval: 50 }

let server: RabbitMq

beforeAll(async () => {
  server = await startRabbitMq({ direct: true })
}, 120_000)
afterAll(() => server[Symbol.asyncDispose]())

/** What the service of the tests subscribes to, as its program would. */
async function start(transport: Transport, handled: (what: string) => void = () => {}): Promise<Bus> {
  const bus = createBus({ transport, source: '/definitions' })
  await bus.subscribe('billing', [on(Happened, ({ n }) => handled(`billing ${n}`))])
  let failures = 0
  await bus.subscribe(
    'mail',
    [
      on(Ended, ({ n }) => {
        if (n === 2 && failures++ === 0) throw new Error('again, after a wait')
        if (n === 3) throw new UnrecoverableError('never')
        handled(`mail ${n}`)
      }),
      on(Do, ({ n }) => handled(`do ${n}`)),
    ],
    { retry: retryPolicy({ inProcess: { tries: 1 }, roundsMs: [200] }) },
  )
  return bus
}

async function vhost(name: string): Promise<string> {
  await server.control('add_vhost', name)
  await server.control('set_permissions', '-p', name, 'guest', '.*', '.*', '.*')
  return `${server.url}/${name}`
}

/** As the broker tells it, without what it adds. */
async function standing(name: string): Promise<RabbitMqDefinitions> {
  const text = await server.control('--quiet', 'export_definitions', '-')
  const all = JSON.parse(text) as RabbitMqDefinitions
  const own = <T extends { readonly vhost: string }>(list: readonly T[]) => list.filter((one) => one.vhost === name)
  return { exchanges: own(all.exchanges), queues: own(all.queues), bindings: own(all.bindings) }
}

function sorted<T>(list: readonly T[]): string[] {
  return list.map((one) => JSON.stringify(one, Object.keys(one as object).sort())).sort()
}

const names = ({ exchanges, queues }: RabbitMqDefinitions) => [...exchanges, ...queues].map(({ name }) => name)

it('records what is declared, no more and no less', async () => {
  await using bus = await start(amqp({ url: await vhost('declared'), ...options }))
  const recorder = recordDefinitions({ ...options, vhost: 'declared' })
  await using recording = await start(recorder.transport)
  expect(recording).toBeDefined()
  const declared = await standing('declared')
  const recorded = recorder.definitions()
  // what is made at first use
  const ladder = recorded.queues.filter(({ name }) => name.startsWith('waybill.retry.')).map(({ name }) => name)
  expect(ladder).toHaveLength(2)
  expect(
    names(recorded)
      .filter((name) => !ladder.includes(name))
      .sort(),
  ).toEqual(names(declared).sort())
  const without = <T extends object>(list: readonly T[]) =>
    list.filter((one) => !JSON.stringify(one).includes('waybill.retry.'))
  expect(sorted(without(recorded.bindings))).toEqual(sorted(declared.bindings))
  for (const { name, arguments: given } of without(recorded.queues)) {
    expect([name, declared.queues.find((queue) => queue.name === name)?.arguments]).toEqual([name, given])
  }
  for (const { name, arguments: given, type } of without(recorded.exchanges)) {
    const found = declared.exchanges.find((exchange) => exchange.name === name)
    expect([name, found?.arguments, found?.type]).toEqual([name, given, type])
  }
  await bus.stop()
})

it.each(['check', 'none'] as const)(
  'lets a service work on imported definitions, with topology %s',
  async (topology) => {
    const url = await vhost(topology)
    const recorder = recordDefinitions({ ...options, vhost: topology })
    await (await start(recorder.transport)).stop()
    const encoded = Buffer.from(JSON.stringify(recorder.definitions())).toString('base64')
    await server.control('eval', `rabbit_definitions:import_raw(base64:decode("${encoded}")).`)
    const before = await standing(topology)
    expect(names(before).length).toBeGreaterThan(10)

    const handled: string[] = []
    await using bus = await start(amqp({ url, topology, ...options }), (what) => handled.push(what))
    await bus.publish(Happened, { key: 'a', n: 1 })
    for (const n of [1, 2, 3]) await bus.publish(Ended, { key: 'a', n })
    await bus.send(Do, { key: 'a', n: 4 })
    await vi.waitFor(() => expect(handled.sort()).toEqual(['billing 1', 'do 4', 'mail 1', 'mail 2']), PATIENCE)
    await vi.waitFor(async () => {
      const parked = []
      for await (const entry of bus.parked.list({ service: 'mail' })) parked.push(entry)
      expect(parked).toHaveLength(1)
    }, PATIENCE)
    expect(sorted((await standing(topology)).queues)).toEqual(sorted(before.queues))
  },
)

it('refuses to send', async () => {
  await using bus = await start(recordDefinitions(options).transport)
  await expect(bus.publish(Ended, { key: 'a', n: 1 })).rejects.toThrow(/records definitions/)
})

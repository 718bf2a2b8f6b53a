import { fork } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { connect } from 'amqplib'
import { createBus, defineCommand } from '@waybill/core'
import type { ParkedMessage } from '@waybill/core'
import { expect, it, vi } from 'vitest'
import { z } from 'zod'
import { amqp } from './index.ts'

const url = process.env.AMQP_URL!
const script = (file: string) => fileURLToPath(new URL(`../../../dev/faults/${file}`, import.meta.url))

it('parks what ends its process each time, and handles every neighbour it was prefetched with', async () => {
  const queue = `amqp-crash-${randomUUID().slice(0, 8)}`
  const service = `${queue}.service`
  const Job = defineCommand(queue, { schema: z.object({ n: z.number() }) })
  const poison = 40
  await using transport = amqp({ url })
  await transport.declare!({
    destinations: [],
    subscriptions: [{ service, sources: [{ kind: 'queue', name: queue }], mode: 'compete' }],
  })
  await using bus = createBus({ transport, source: '/test' })
  for (let n = 0; n < 100; n++) await bus.send(Job, { n })
  const parked = async () => {
    const found: ParkedMessage[] = []
    for await (const entry of bus.parked.list({ service })) found.push(entry)
    return found
  }
  const handled = new Set<number>()
  const settled = vi
    .waitFor(
      async () => {
        expect(handled.size).toBe(99)
        expect(await parked()).not.toEqual([])
      },
      { timeout: 60_000, interval: 200 },
    )
    .then(() => 'settled' as const)
  let crashes = 0
  for (;;) {
    const child = fork(script('amqp-crashing.ts'), {
      env: { ...process.env, BROKER_URL: url, QUEUE: queue, POISON: String(poison) },
      execArgv: ['--import', script('resolve-sources.ts')],
    })
    child.on('message', (n) => void handled.add(n as number))
    const exited = once(child, 'exit').then(() => 'crashed' as const)
    try {
      if ((await Promise.race([exited, settled])) === 'settled') break
    } finally {
      child.kill('SIGKILL')
      await exited
    }
    crashes++
    expect(crashes).toBeLessThan(15)
  }
  expect(crashes).toBeGreaterThanOrEqual(5)
  expect(handled).toEqual(new Set(Array.from({ length: 100 }, (_, n) => n).filter((n) => n !== poison)))
  const [entry, ...others] = await parked()
  expect(others).toEqual([])
  expect(JSON.parse(Buffer.from(entry!.message.body!).toString())).toEqual({ n: poison })
  expect(entry!.reason).toMatch(/open in \d+ processes that ended: its handling probably ends them/)
}, 120_000)

it("takes a sender's word neither for a count of the broker's nor for its own crashes", async () => {
  const service = `amqp-forged-${randomUUID().slice(0, 8)}`
  await using transport = amqp({ url })
  const seen: [number, number | undefined][] = []
  let both: () => void = () => {}
  const came = new Promise<void>((resolve) => (both = resolve))
  await transport.subscribe(
    {
      service,
      sources: [],
      mode: 'compete',
      ackBefore: false,
      start: 'earliest',
      maxOpen: 10,
      maxOpenBytes: 1e6,
    },
    ({ attempt, crashes }) => {
      seen.push([attempt, crashes])
      if (seen.length === 2) both()
      return Promise.resolve(seen.length === 1 ? { outcome: 'release' } : { outcome: 'ack' })
    },
  )
  const connection = await connect(url)
  const channel = await connection.createConfirmChannel()
  channel.sendToQueue(service, Buffer.from('{}'), { headers: { 'x-delivery-count': 50, 'x-acquired-count': 50 } })
  await channel.waitForConfirms()
  await connection.close()
  await came
  expect(seen[0]).toEqual([1, undefined])
  // given back, and perhaps opened alone now, but blamed for nothing
  expect(seen[1]![1]).toBeUndefined()
})

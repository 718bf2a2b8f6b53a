import { uuidv7 } from '@waybill/core'
import type { WireMessage } from '@waybill/core'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { startRabbitMq, type RabbitMq } from '../../../dev/servers/index.ts'
import { amqp } from './index.ts'

/** A queue whose server stands still answers nothing, like one that lost its majority; its connection lives. */
let server: RabbitMq
beforeAll(async () => {
  server = await startRabbitMq({ direct: true })
}, 120_000)
afterAll(() => server?.[Symbol.asyncDispose]())

const WINDOW = 20

it('goes on with others while a queue confirms nothing, says so in health, and holds no more than its window', async () => {
  await using transport = amqp({ url: server.url, confirmTimeoutMs: 1_000, maxPendingMessages: WINDOW })
  const [silent, lively] = ['silent', 'lively'].map((name) => ({ kind: 'queue', name }) as const)
  for (const source of [silent!, lively!]) {
    const bounds = { maxOpen: 100, maxOpenBytes: 1e7 }
    const asked = { service: `${source.name}-reader`, mode: 'compete', ackBefore: false, start: 'earliest' } as const
    await transport.subscribe({ ...asked, ...bounds, sources: [source] }, async () => ({ outcome: 'ack' }))
  }
  await Promise.all(transport.publish([message(silent!), message(lively!)]))

  await server.control('eval', `sys:suspend('%2F_silent').`)
  for (let round = 0; round < 3; round++) {
    const given = Array.from({ length: WINDOW }, () => message(silent!))
    for (const result of await Promise.allSettled(transport.publish(given))) {
      // the first ones are sent and may exist, later ones are refused before that
      expect(result).toMatchObject({ reason: { fault: { retryable: true, mayExist: round === 0 } } })
      if (round > 0) expect(result).toMatchObject({ reason: { fault: { scope: 'destination' } } })
    }
    expect(await publishing()).toMatchObject({ state: 'degraded', reason: expect.stringContaining('not confirmed') })
    await Promise.all(transport.publish([message(lively!)]))
  }

  await server.control('eval', `sys:resume('%2F_silent').`)
  await Promise.all(transport.publish([message(silent!)]))
  expect(await publishing()).toMatchObject({ state: 'up' })

  async function publishing() {
    return (await transport.health()).find(({ part }) => part === 'publish')
  }
}, 60_000)

function message(destination: WireMessage['destination']): WireMessage {
  const body = new Uint8Array(1_000)
  return {
    id: uuidv7(Date.now()),
    type: 't',
    destination,
    contentType: 'text/plain',
    body,
    attributes: {},
    headers: {},
  }
}

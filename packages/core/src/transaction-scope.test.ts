import { afterEach, describe, expect, it, vi } from 'vitest'
import { z } from 'zod'
import { createBus } from './create-bus.ts'
import { defineCommand, defineEvent, defineRequest } from './definition.ts'
import { on, respond } from './handler.ts'
import { memory } from './memory/index.ts'
import { inTransaction } from './transaction-scope.ts'

const schema = z.object({ n: z.number() })
const Happened = defineEvent('happened', { schema })
const Do = defineCommand('do', { schema })
const Ask = defineRequest('ask', { schema, reply: schema })

const refused = { code: 'TRANSACTION', retryable: false }

async function answeringBus() {
  const bus = createBus({ transport: memory(), source: '/test' })
  const handled: number[] = []
  await bus.subscribe('s', [
    on(Happened, ({ n }) => void handled.push(n)),
    on(Do, () => {}),
    respond(Ask, (data) => data),
  ])
  return { bus, handled }
}

afterEach(() => {
  Reflect.deleteProperty(globalThis, Symbol.for('waybill.transaction-scope'))
})

describe('a bus inside a transaction that it knows of', () => {
  it('refuses all that would leave at once, and names the call', async () => {
    const { bus, handled } = await answeringBus()
    await inTransaction('outbox.transaction', async () => {
      await expect(bus.publish(Happened, { n: 1 })).rejects.toMatchObject(refused)
      await expect(bus.send(Do, { n: 1 })).rejects.toThrow(/bus\.send inside outbox\.transaction/)
      await expect(bus.request(Ask, { n: 1 }, { timeoutMs: 100 })).rejects.toMatchObject(refused)
      expect(() => bus.gather(Ask, { n: 1 }, { timeoutMs: 100 })).toThrow(expect.objectContaining(refused))
    })
    expect(handled).toEqual([])
    await bus.stop()
  })

  it('sends when told to bypass the outbox, and all again once the transaction ended, also in what it left behind', async () => {
    const { bus, handled } = await answeringBus()
    let end!: () => void
    const ended = new Promise<void>((resolve) => (end = resolve))
    let leftBehind: Promise<unknown> | undefined
    await inTransaction('t', async () => {
      await bus.publish(Happened, { n: 1 }, { outbox: 'bypass' })
      leftBehind = ended.then(() => bus.publish(Happened, { n: 2 }))
    })
    end()
    await leftBehind
    await bus.publish(Happened, { n: 3 })
    await vi.waitFor(() => expect(handled).toEqual([1, 2, 3]))
    await bus.stop()
  })

  it('knows of the end of one that failed', async () => {
    const { bus } = await answeringBus()
    let after: Promise<unknown> | undefined
    const failing = inTransaction('t', async () => {
      after = Promise.resolve().then(async () => {
        await failing.catch(() => {})
        await bus.publish(Happened, { n: 1 })
      })
      throw new Error('no')
    })
    await expect(failing).rejects.toThrow('no')
    await after
    await bus.stop()
  })

  it('runs handlers outside of the transaction that their message came from', async () => {
    const bus = createBus({ transport: memory(), source: '/test' })
    let answered: unknown
    await bus.subscribe('s', [
      on(Happened, async () => {
        answered = await bus.request(Ask, { n: 7 }, { timeoutMs: 1_000 })
      }),
      respond(Ask, (data) => data),
    ])
    await inTransaction('t', async () => {
      await bus.publish(Happened, { n: 1 }, { outbox: 'bypass' })
      await vi.waitFor(() => expect(answered).toEqual({ n: 7 }))
    })
    await bus.stop()
  })

  it('knows of those that another installed copy of this package opened', async () => {
    vi.resetModules()
    const copy = await import('./transaction-scope.ts')
    expect(copy.inTransaction).not.toBe(inTransaction)
    const { bus } = await answeringBus()
    await copy.inTransaction('t', () => expect(bus.publish(Happened, { n: 1 })).rejects.toMatchObject(refused))
    await bus.stop()
  })

  it('makes nothing global before the first transaction', async () => {
    const { bus } = await answeringBus()
    await bus.publish(Happened, { n: 1 })
    expect(Symbol.for('waybill.transaction-scope') in globalThis).toBe(false)
    await bus.stop()
  })
})

import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { createBus } from '../create-bus.ts'
import { defineCommand, defineEvent, defineRequest } from '../definition.ts'
import { on, respond } from '../handler.ts'
import { shared } from '../shared.ts'
import { createHarness } from './harness.ts'

const Booked = defineEvent('rental.booked', {
  schema: z.object({ id: z.string(), ski: z.object({ size: z.number(), tags: z.array(z.string()) }) }),
})
const Billed = defineEvent('rental.billed', {
  schema: z.object({ id: z.string(), at: z.iso.datetime().transform((text) => new Date(text)) }),
})
const Remind = defineCommand('rental.remind', { schema: z.object({ id: z.string() }), ttlMs: 60_000 })
const Quote = defineRequest('pricing.quote', { schema: z.object({}), reply: z.object({ cents: z.number() }) })

const booked = (id: string, size = 170) => ({ id, ski: { size, tags: ['blue'] } })

describe('the harness', () => {
  it('waits for what is published and handled, and gives the data as a handler gets it', async () => {
    await using harness = createHarness()
    const { bus } = harness
    await bus.subscribe('billing', [
      on(Booked, async ({ id }, { message }) => {
        await new Promise((resolve) => setImmediate(resolve))
        await bus.publish(Billed, { id, at: '2026-01-01T00:00:00Z' }, { causationId: message.id })
      }),
    ])
    // the assertion may be there first
    const waiting = harness.published(Billed)
    const id = await bus.publish(Booked, booked('r-1'))
    const { data, message } = await waiting
    expect(data.at).toEqual(new Date('2026-01-01T00:00:00Z'))
    expect(message).toMatchObject({ type: 'rental.billed', causationId: id, source: '/test' })
    expect((await harness.handled('billing', Booked)).data.id).toBe('r-1')
    await harness.settled()
  })

  it('finds by part of the data or by a function, each message once, the oldest first', async () => {
    await using harness = createHarness()
    for (const [id, size] of [
      ['r-1', 170],
      ['r-2', 180],
      ['r-3', 180],
    ] as const) {
      await harness.bus.publish(Booked, booked(id, size))
    }
    const ids = async (...wanted: Promise<{ readonly data: { readonly id: string } }>[]) =>
      (await Promise.all(wanted)).map(({ data }) => data.id)
    expect(await ids(harness.published(Booked, { ski: { size: 180 } }))).toEqual(['r-2'])
    expect(
      await ids(
        harness.published(Booked),
        harness.published(Booked, ({ ski }) => ski.size > 175),
      ),
    ).toEqual(['r-1', 'r-3'])
  })

  it('says what was there instead when a time-out ends the wait', async () => {
    await using harness = createHarness({ timeoutMs: 20 })
    await harness.bus.subscribe('billing', [
      on(Booked, () => {
        throw new Error('not now')
      }),
      on(Billed, () => {}),
    ])
    await harness.bus.publish(Booked, booked('secret-4242'))
    await harness.bus.publish(Billed, { id: 'r-1', at: '2026-01-01T00:00:00Z' })
    await expect(harness.published(Remind)).rejects.toThrow(
      /waited 20 ms for "rental.remind" to be published; published: "rental.booked", "rental.billed"/,
    )
    const missing = await harness.handled('billing', Booked).catch((error: Error) => error.message)
    expect(missing).toMatch(
      /for "rental.booked" to be handled by "billing"; handled by "billing": "rental.billed"; published: /,
    )
    expect(missing).toMatch(/the next timer is \d+ ms away: await harness.clock.advance/)
    await expect(harness.settled()).rejects.toThrow(
      /0 being published, 1 not settled; being handled: "rental.booked" in "billing"/,
    )
    await expect(harness.published(Booked, { id: 'other' })).rejects.toThrow(/that matches/)
    expect(missing).not.toMatch(/4242/)
  })

  it('moves through back-off and rounds by its clock alone', async () => {
    await using harness = createHarness()
    const attempts: number[] = []
    await harness.bus.subscribe('billing', [
      on(Booked, (_, { attempt }) => {
        attempts.push(attempt)
        if (attempt < 5) throw new Error('not yet')
      }),
    ])
    await harness.bus.publish(Booked, booked('r-1'))
    await harness.clock.advance(1_000)
    expect(attempts).toEqual([1, 2, 3])
    await harness.clock.advance(20_000)
    await harness.handled('billing', Booked)
    expect(attempts).toEqual([1, 2, 3, 4, 5])
    await harness.settled()
    expect(harness.clock.nowMs()).toBe(1_700_000_021_000)
  })

  it('counts a dead letter as settled and not as handled', async () => {
    await using harness = createHarness({ timeoutMs: 20 })
    await harness.bus.subscribe('mail', [on(Remind, () => ({ outcome: 'deadLetter', notes: {} }))])
    await harness.bus.send(Remind, { id: 'r-1' })
    await harness.settled()
    await expect(harness.handled('mail', Remind)).rejects.toThrow(
      /not handled: "rental.remind" in "mail" \(deadLetter\)/,
    )
  })

  it('does not take for handled what came past its time', async () => {
    await using harness = createHarness({ timeoutMs: 20 })
    const service = await harness.bus.subscribe('mail', [on(Remind, () => expect.unreachable())])
    service.pause()
    await harness.bus.send(Remind, { id: 'r-1' })
    await harness.clock.advance(60_000)
    service.resume()
    await harness.settled()
    await expect(harness.handled('mail', Remind)).rejects.toThrow(/"rental.remind" in "mail" \(expired\)/)
  })

  it('carries requests, and more buses on the same carrier', async () => {
    await using harness = createHarness({ source: '/rentals' })
    await using other = createBus({
      transport: shared(harness.transport),
      source: '/pricing',
      ports: harness.clock.ports,
    })
    await other.subscribe('pricing', [respond(Quote, () => ({ cents: 7 }))])
    expect(await harness.bus.request(Quote, {}, { timeoutMs: 1_000 })).toEqual({ cents: 7 })
    await harness.handled('pricing', Quote)
    await harness.settled()
  })

  it('ends although a handler is in its back-off', async () => {
    const harness = createHarness()
    await harness.bus.subscribe('billing', [
      on(Booked, () => {
        throw new Error('no')
      }),
    ])
    await harness.bus.publish(Booked, booked('r-1'))
    await harness.clock.settle()
    await harness[Symbol.asyncDispose]()
    await harness[Symbol.asyncDispose]()
  })

  it('refuses a time-out that is none', () => {
    expect(() => createHarness({ timeoutMs: 0 })).toThrow(/timeoutMs of the harness is 0/)
  })
})

import { describe, expectTypeOf, it } from 'vitest'
import { z } from 'zod'
import { defineCommand, defineEvent, defineRequest, on, respond, type Bus } from './index.ts'

const Booked = defineEvent('rental.booked', {
  // what travels is the input side; handlers get the output side
  schema: z.object({ days: z.string().transform(Number) }),
  orderingKey: (rental) => rental.days,
})
const Quote = defineRequest('quote', { schema: z.object({ days: z.number() }), reply: z.object({ cents: z.number() }) })
const Notify = defineCommand('notify', { schema: z.object({ text: z.string() }) })
declare const bus: Bus

describe('types', () => {
  it('follow the schema', () => {
    on(Booked, (rental) => void expectTypeOf(rental).toEqualTypeOf<{ days: number }>())
    respond(Quote, ({ days }) => ({ cents: days * 100 }))
    expectTypeOf(bus.request(Quote, { days: 1 }, { timeoutMs: 1 })).resolves.toEqualTypeOf<{ cents: number }>()
    void bus.publish(Booked, { days: '3' })
    void bus.send(Notify, { text: 'x' })
  })

  it('refuse what does not fit', () => {
    // @ts-expect-error the output side does not travel
    void bus.publish(Booked, { days: 3 })
    // @ts-expect-error a command is sent, not published
    void bus.publish(Notify, { text: 'x' })
    // @ts-expect-error a request is asked
    void bus.send(Quote, { days: 1 })
    // @ts-expect-error a reply of another shape
    respond(Quote, () => ({ euros: 1 }))
    // @ts-expect-error a request has no plain handler
    on(Quote, () => undefined)
  })
})

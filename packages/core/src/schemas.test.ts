import type { StandardSchemaV1 } from '@standard-schema/spec'
import { type } from 'arktype'
import * as v from 'valibot'
import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { createBus } from './create-bus.ts'
import { defineEvent } from './definition.ts'
import { on } from './handler.ts'
import { memory } from './memory/index.ts'
import type { Schema } from './schema.ts'

interface Input {
  readonly ski: string
  readonly days: string
}
interface Output {
  readonly ski: string
  readonly days: number
}

/** A schema of nobody's making, whose promise is not JavaScript's own. */
const byHand: StandardSchemaV1<Input, Output> = {
  '~standard': {
    version: 1,
    vendor: 'by hand',
    validate(value) {
      const { ski, days } = value as Input
      const bad = Number.isNaN(Number(days))
      const result = bad
        ? { issues: [{ message: 'not a count', path: [{ key: 'days' }] }] }
        : { value: { ski, days: Number(days) } }
      return { then: (resolve: (given: unknown) => unknown) => Promise.resolve(result).then(resolve) } as never
    },
  },
}

const isNumber = (text: string) => !Number.isNaN(Number(text))
const SCHEMAS: Readonly<Record<string, StandardSchemaV1<Input, Output>>> = {
  zod: z.object({ ski: z.string(), days: z.string().refine(isNumber).transform(Number) }),
  valibot: v.object({ ski: v.string(), days: v.pipe(v.string(), v.check(isNumber), v.transform(Number)) }),
  arktype: type({ ski: 'string', days: 'string.numeric.parse' }),
  'zod, asynchronous': z.object({
    ski: z.string(),
    days: z
      .string()
      .refine(async (text) => isNumber(text))
      .transform(Number),
  }),
  'an asynchronous one by hand': byHand,
}

describe.each(Object.entries(SCHEMAS))('a definition with %s', (_, schema) => {
  it('sends the input side, gives handlers the output side, and refuses at publish with the path', async () => {
    await using bus = createBus({ transport: memory(), source: '/test' })
    const Booked = defineEvent('booked', { schema, orderingKey: ({ ski }) => ski })
    const seen: unknown[] = []
    await bus.subscribe('s', [on(Booked, (data, { message }) => void seen.push(data, message.orderingKey))])
    await bus.publish(Booked, { ski: 's-1', days: '3' })
    await expect.poll(() => seen).toEqual([{ ski: 's-1', days: 3 }, 's-1'])
    await expect(bus.publish(Booked, { ski: 's-1', days: 'three' })).rejects.toMatchObject({
      code: 'VALIDATION',
      message: expect.stringMatching(/^data for "booked" does not fit its schema: days: /) as string,
      issues: [{ path: 'days' }],
    })
  })

  it('dead-letters at once what does not fit, with the path', async () => {
    const transport = memory()
    await using bus = createBus({ transport, source: '/test' })
    const Booked = defineEvent('booked', { schema })
    const Loose = defineEvent('booked', { schema: z.object({ ski: z.string(), days: z.string() }) as Schema })
    await bus.subscribe('s', [on(Booked, () => undefined)])
    await bus.publish(Loose, { ski: 's', days: 'three' })
    await expect.poll(() => bus.stats.deadLettered).toBe(1)
    for await (const { reason, attempts } of bus.parked.list()) {
      expect(reason).toMatch(/^ValidationError: data of "booked" does not fit its schema: days: /)
      expect(reason).not.toContain('three')
      expect(attempts).toBe(1)
    }
  })
})

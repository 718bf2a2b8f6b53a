import { defineCommand, defineEvent, defineRequest } from '../definition.ts'
import type { Schema } from '../schema.ts'

/** What the messages of a scenario carry. */
export interface Data {
  readonly n: number
  readonly key?: string | undefined
  /** No handler ever gets through with it. */
  readonly poison?: boolean | undefined
}

function schemaOf<T>(
  asynchronous = false,
): Schema & { readonly '~standard': { readonly types?: { input: T; output: T } } } {
  const validate = (value: unknown) => ({ value: value as T })
  return {
    '~standard': {
      version: 1,
      vendor: 'simulation',
      validate: asynchronous ? (value: unknown) => Promise.resolve(validate(value)) : validate,
    },
  }
}

export const Noted = defineEvent('noted', { schema: schemaOf<Data>() })
export const Moved = defineEvent('moved', { schema: schemaOf<Data>(), orderingKey: ({ key }) => key })
export const Glimpsed = defineEvent('glimpsed', { schema: schemaOf<Data>(), delivery: 'at-most-once' })
export const Work = defineCommand('work', { schema: schemaOf<Data>(true), ttlMs: 600_000 })
/** Read from the topic of `Noted`, by services that have no route for it. */
export const Unheard = defineEvent('unheard', { schema: schemaOf<Data>(), destination: { name: 'noted' } })
export const Double = defineRequest('double', {
  schema: schemaOf<Data>(),
  reply: schemaOf<{ readonly twice: number }>(true),
})

/** The services of a scenario, and what each of them handles. */
export const SERVICES = Object.freeze({
  ledger: [Noted, Moved],
  mail: [Noted, Work],
  view: [Glimpsed, Moved],
  cache: [Noted],
  maths: [Double],
})
export type ServiceName = keyof typeof SERVICES

import type { Schema } from '../schema.ts'

/** A schema that takes every value as a `T`. */
export function anything<T>(): Schema & { readonly '~standard': { readonly types?: { input: T; output: T } } } {
  return { '~standard': { version: 1, vendor: 'waybill-suite', validate: (value) => ({ value: value as T }) } }
}

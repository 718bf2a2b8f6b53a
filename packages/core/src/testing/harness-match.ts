import { isDeepStrictEqual } from 'node:util'
import type { DataOut, Definition } from '../definition.ts'

/** Some of the data, compared deeply field by field, or a function that says whether it is the one. */
export type Match<D extends Definition> = Part<DataOut<D>> | ((data: DataOut<D>) => boolean)

type Part<T> = T extends readonly unknown[]
  ? T
  : T extends object
    ? { readonly [Field in keyof T]?: Part<T[Field]> }
    : T

export function matches<D extends Definition>(match: Match<D> | undefined, data: DataOut<D>): boolean {
  if (match === undefined) return true
  return typeof match === 'function' ? (match as (data: DataOut<D>) => boolean)(data) : holds(data, match)
}

/** Whether all that `part` says is true of `whole`; arrays and instances of classes are compared as they are. */
function holds(whole: unknown, part: unknown): boolean {
  if (!isPlain(part) || !isPlain(whole)) return isDeepStrictEqual(whole, part)
  return Object.keys(part).every((field) => Object.hasOwn(whole, field) && holds(whole[field], part[field]))
}

function isPlain(value: unknown): value is Record<string, unknown> {
  if (typeof value !== 'object' || value === null) return false
  const prototype: unknown = Object.getPrototypeOf(value)
  return prototype === null || prototype === Object.prototype
}

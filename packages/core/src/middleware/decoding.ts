import { decode } from '../message.ts'
import type { Step } from './step.ts'

/** Reads and checks the data. Not async: most schemas are synchronous, and most handlers short. */
export const decoding: Step = (work, next) => {
  // a bridge takes the bytes as they are
  if (work.route!.kind === 'forward') return next(work)
  const given: unknown = decode(work.route!.definition, work.message)
  if (!(given instanceof Promise)) {
    work.data = given
    return next(work)
  }
  return given.then((data: unknown) => {
    work.data = data
    return next(work)
  })
}

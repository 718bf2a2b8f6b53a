import type { Destination } from './wire-message.ts'

/** Where a gathering asks: the topic that is named as the request's queue. */
export function gatherDestination(destination: Destination): Destination {
  return destination.kind === 'topic' ? destination : Object.freeze({ ...destination, kind: 'topic' })
}

import type { Settlement } from '../../transport.ts'
import type { HandedOver } from '../broker/observer.ts'

/** One delivery with the tries of its handler. */
export interface Handover extends HandedOver {
  readonly runs: Run[]
  settled: boolean
  /** The turn in which it was recalled. */
  recalledAtStep: number
}

/** One try of a handler. */
export interface Run {
  readonly handover: Handover
  readonly startedMs: number
  readonly attempt: number
  /** `undefined` while it runs. */
  how: 'done' | 'failed' | undefined
  /** Its signal had aborted when it ended: what it returned says nothing. */
  late: boolean
  /** What it returned, if it asked for something. */
  given: Settlement | undefined
}

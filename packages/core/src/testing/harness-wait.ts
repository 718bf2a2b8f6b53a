import { AssertionError } from 'node:assert'
import { systemPorts } from '../ports.ts'
import type { HarnessRecord } from './harness-record.ts'
import type { ManualTime } from './manual-time.ts'

interface Wait {
  readonly record: HarnessRecord
  readonly clock: ManualTime
  readonly timeoutMs: number
  readonly what: string
}

/** Looks now and after each event until `look` finds something; never before what runs has run as far as it can. */
export async function untilFound<T>(
  { record, clock, timeoutMs, what }: Wait,
  look: () => Promise<T | undefined>,
  describe: () => string | Promise<string>,
): Promise<T> {
  let wake = () => {}
  let timedOut = false
  const unwatch = record.watch(() => wake())
  const cancel = systemPorts.timers.schedule(() => {
    timedOut = true
    wake()
  }, timeoutMs)
  try {
    for (;;) {
      // an event during the look must not be missed
      const changed = new Promise<void>((resolve) => (wake = resolve))
      const found = await look()
      if (found !== undefined) return found
      if (timedOut) throw await failure(what, timeoutMs, clock, describe)
      await changed
    }
  } finally {
    cancel()
    unwatch()
  }
}

async function failure(
  what: string,
  timeoutMs: number,
  { nextTimerInMs }: ManualTime,
  describe: () => string | Promise<string>,
): Promise<Error> {
  const clock =
    nextTimerInMs === undefined
      ? 'no timer waits'
      : `the next timer is ${nextTimerInMs} ms away: await harness.clock.advance(${nextTimerInMs})`
  return new AssertionError({ message: `waited ${timeoutMs} ms for ${what}; ${await describe()}; ${clock}` })
}

import { ok } from 'node:assert/strict'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import type { CaseContext } from '../case-context.ts'
import { fulfilledWithin } from '../settled-within.ts'
import type { SuiteCase } from '../suite-case.ts'

const LANES = 10
const CYCLES = 50
/** Where joining takes seconds, fewer cycles must do. */
const TIME_MS = 10_000
/** Below so many in all, what each leaves behind is less than what varies anyway. */
const CYCLES_TO_JUDGE = 200

export const stress: SuiteCase = {
  id: '32',
  title: 'ten times fifty clients start, subscribe, stop and leave nothing in memory',
  async run(context) {
    const endMs = performance.now() + TIME_MS
    const counts = Array.from({ length: LANES }, () => 0)
    const round = (cycles: number) =>
      Promise.all(
        counts.map(async (_, lane) => {
          for (let left = cycles; left > 0 && performance.now() < endMs; left -= 1) {
            await cycle(context, lane)
            counts[lane]! += 1
          }
        }),
      )
    const total = () => counts.reduce((sum, count) => sum + count, 0)
    // the first ones pay for code and caches that stay
    await round(CYCLES / 5)
    const early = total()
    const before = heapBytes()
    await round(CYCLES - CYCLES / 5)
    const after = heapBytes()
    context.judge()
    ok(total() >= LANES, `in ${TIME_MS} ms only ${total()} of ${LANES} clients came to start and stop once`)
    if (total() < LANES * CYCLES) {
      context.leftOut.push(`${LANES * CYCLES - total()} of ${LANES * CYCLES} starts, for want of time`)
    }
    if (context.options.concurrent > 1) context.leftOut.push('memory: several cases run at once')
    else if (total() - early < CYCLES_TO_JUDGE) context.leftOut.push('memory: too few starts to judge it')
    else {
      const megabytes = (bytes: number) => (bytes / 1_048_576).toFixed(1)
      const text = `${total() - early} starts and stops took the heap from ${megabytes(before)} to ${megabytes(after)} MiB`
      ok(after <= before * 1.1, text)
    }
  },
}

/** Not by `context.client()`, which keeps what it made until the case ends. */
async function cycle(context: CaseContext, lane: number): Promise<void> {
  const transport = await context.options.create()
  const service = context.name(`lane-${lane}`)
  try {
    const reading = await context.read({ transport, service, from: [context.topic()] })
    await fulfilledWithin(reading.stop(), context.soonMs, 'stop of an idle subscription')
  } finally {
    await fulfilledWithin(transport[Symbol.asyncDispose](), context.soonMs, 'disposing an idle client')
  }
}

/** After collecting what nobody uses; the collector is asked for without a flag of the process. */
function heapBytes(): number {
  setFlagsFromString('--expose-gc')
  const collect = runInNewContext('gc') as () => void
  collect()
  collect()
  return process.memoryUsage().heapUsed
}

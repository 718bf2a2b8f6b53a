import type { Settlement } from '../transport.ts'
import type { Work } from '../work.ts'

/** The rest of the way of a delivery. It rejects where handling failed. */
export type Next = (work: Work) => Promise<Settlement>

/** One function around the delivery: it looks, waits, or answers in place of `next`. */
export type Step = (work: Work, next: Next) => Promise<Settlement>

/** One way out of many steps, outermost first. */
export function compose(steps: readonly Step[], last: Next): Next {
  return steps.reduceRight<Next>((next, step) => (work) => step(work, next), last)
}

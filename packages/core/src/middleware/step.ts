import type { Settlement } from '../transport.ts'
import type { Work } from '../work.ts'

/** What handling comes to: at once where nothing had to be waited for, which spares most deliveries their promises. */
export type Outcome = Settlement | Promise<Settlement>

/** The rest of the way of a delivery. It throws or rejects where handling failed. */
export type Next = (work: Work) => Outcome

/** One function around the delivery: it looks, waits, or answers in place of `next`. */
export type Step = (work: Work, next: Next) => Outcome

/** One way out of many steps, outermost first. */
export function compose(steps: readonly Step[], last: Next): Next {
  return steps.reduceRight<Next>((next, step) => (work) => step(work, next), last)
}

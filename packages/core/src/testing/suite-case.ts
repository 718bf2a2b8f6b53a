import type { Transport } from '../transport.ts'
import type { CaseContext } from './case-context.ts'
import type { SuiteHooks } from './options.ts'

/** One promise of the contract and the way to see whether an adapter keeps it. */
export interface SuiteCase {
  /** Stays the same over versions: reports and bug reports name it. */
  readonly id: string
  readonly title: string
  /** The hook that the whole of it needs; without it the case is left out, and its level is not granted. */
  readonly needs?: keyof SuiteHooks
  /** What the transport lacks for this case to make sense, in words; nothing = run it. */
  readonly lacks?: (transport: Transport) => string | undefined
  readonly run: (context: CaseContext) => Promise<void>
}

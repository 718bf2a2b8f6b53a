import type { Report } from './case-result.ts'

export const LEVELS = ['Core', 'Patterns', 'Fault-certified'] as const
export type Level = (typeof LEVELS)[number]

/** How an adapter stands on one level. */
export interface LevelResult {
  readonly level: Level
  /** Cases that began. */
  readonly run: number
  readonly passed: number
  readonly failed: number
  /** Cases that make no sense for want of a declared capability: no blemish. */
  readonly skippedByCapability: number
  /** Hooks that cases wanted and the adapter's test did not give. */
  readonly missingHooks: readonly string[]
  /** Why the level is not granted; absent = it is. */
  readonly why?: string | undefined
}

/** By number: 1 to 34 and the harder ones from 61 are Core, 35 to 46 Patterns, 47 to 60 Fault-certified. */
export function levelOf(caseId: string): Level {
  const number = Number.parseInt(caseId, 10)
  if (number >= 35 && number <= 46) return 'Patterns'
  return number >= 47 && number <= 60 ? 'Fault-certified' : 'Core'
}

/** A level is granted when each of its cases passed or lacks a capability, and no hook was missing: nothing passes in silence. */
export function levelsOf({ results, notRun, leftOpen }: Report): readonly LevelResult[] {
  return LEVELS.map((level) => {
    const own = results.filter(({ id }) => levelOf(id) === level)
    const skipped = own.filter(({ outcome }) => outcome === 'skipped')
    const passed = own.filter(({ outcome }) => outcome === 'passed').length
    const failed = own.filter(({ outcome }) => outcome === 'failed').map(({ id }) => id)
    const unhooked = own.filter(({ missingHooks }) => missingHooks.length > 0).map(({ id }) => id)
    const missed = notRun.filter((id) => levelOf(id) === level)
    const reasons = [
      ...(own.length === skipped.length && missed.length === 0 ? ['none of its cases could be run'] : []),
      ...(failed.length > 0 ? [`failed: ${failed.join(', ')}`] : []),
      ...(unhooked.length > 0 ? [`for want of a hook not run in full: ${unhooked.join(', ')}`] : []),
      ...(missed.length > 0 ? [`not run: ${missed.join(', ')}`] : []),
      ...(leftOpen === undefined ? [] : ['something was left open']),
    ]
    return {
      level,
      run: own.length - skipped.length,
      passed,
      failed: failed.length,
      skippedByCapability: skipped.filter(({ missingHooks }) => missingHooks.length === 0).length,
      missingHooks: [...new Set(own.flatMap(({ missingHooks }) => missingHooks))],
      ...(reasons.length > 0 && { why: reasons.join('; ') }),
    }
  })
}

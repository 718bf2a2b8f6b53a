import type { Report } from './case-result.ts'
import { levelsOf, type LevelResult } from './levels.ts'

/** The report as text: a line per case, then which levels are granted, and why one is not. */
export function reportText(report: Report): string {
  const { name, seed, results, leftOpen } = report
  const lines = results.map(({ id, title, outcome, reason, leftOut, durationMs }) => {
    const why = outcome === 'passed' ? leftOut.join('; ') : (reason ?? '')
    return `  ${outcome.padEnd(7)} ${id.padStart(3)}  ${title} (${Math.round(durationMs)} ms)${why && `: ${firstLine(why)}`}`
  })
  return [
    `adapter suite on ${name}, seed ${seed}`,
    ...lines,
    ...(leftOpen === undefined ? [] : [`  failed: still open when all had ended: ${leftOpen}`]),
    ...levelsOf(report).map(levelText),
  ].join('\n')
}

function levelText({ level, why, run, passed, failed, skippedByCapability, missingHooks }: LevelResult): string {
  const counts = `${run} run, ${passed} passed, ${failed} failed, ${skippedByCapability} skipped for want of a capability`
  const hooks = missingHooks.length === 0 ? '' : `, hooks not given: ${missingHooks.join(', ')}`
  return `  level ${level}: ${why === undefined ? 'granted' : `not granted (${why})`}; ${counts}${hooks}`
}

function firstLine(text: string): string {
  const [first = ''] = text.split('\n', 1)
  return first.length <= 300 ? first : `${first.slice(0, 299)}…`
}

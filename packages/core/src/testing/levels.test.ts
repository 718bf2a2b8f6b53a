import { describe, expect, it } from 'vitest'
import type { CaseResult, Report } from './case-result.ts'
import { levelsOf } from './levels.ts'
import { reportText } from './report.ts'

const result = (id: string, more: Partial<CaseResult> = {}): CaseResult => ({
  ...{ id, title: `case ${id}`, outcome: 'passed', leftOut: [], missingHooks: [], durationMs: 1 },
  ...more,
})
const report = (results: readonly CaseResult[], more: Partial<Report> = {}): Report => {
  return { name: 'mine', seed: 1, results, notRun: [], ...more }
}
const core = (given: Report) => levelsOf(given)[0]!

describe('levels of a report', () => {
  it('grants a level whose cases passed or lack a declared capability', () => {
    const granted = core(report([result('1'), result('13r'), result('63'), result('8', { outcome: 'skipped' })]))
    expect(granted).toMatchObject({ level: 'Core', run: 3, passed: 3, failed: 0, skippedByCapability: 1 })
    expect(granted.why).toBeUndefined()
  })

  it.each<[string, Report, string]>([
    ['a case failed', report([result('1'), result('2', { outcome: 'failed' })]), 'failed: 2'],
    ['part of a case wanted a hook', report([result('33', { missingHooks: ['isolate'] })]), 'not run in full: 33'],
    ['a case was left out by the caller', report([result('1')], { notRun: ['2', '40'] }), 'not run: 2'],
    ['something was left open', report([result('1')], { leftOpen: '1 Timeout' }), 'left open'],
    ['no case could be run', report([result('1', { outcome: 'skipped' })]), 'none of its cases'],
  ])('does not grant a level when %s', (_, given, why) => {
    expect(core(given).why).toContain(why)
    expect(reportText(given)).toContain('level Core: not granted (')
  })

  it('does not take a case that wants a hook for one that lacks a capability, and names the hook once', () => {
    const unhooked = { outcome: 'skipped', missingHooks: ['broker'] } as const
    const fault = levelsOf(report([result('47'), result('48', unhooked), result('49', unhooked)]))[2]!
    expect(fault).toMatchObject({ level: 'Fault-certified', run: 1, skippedByCapability: 0, missingHooks: ['broker'] })
    expect(fault.why).toContain('48, 49')
  })

  it('judges each level by its own cases', () => {
    const given = report([result('34'), result('35', { outcome: 'failed' }), result('60')])
    expect(levelsOf(given).map(({ level, why }) => [level, why])).toEqual([
      ['Core', undefined],
      ['Patterns', 'failed: 35'],
      ['Fault-certified', undefined],
    ])
  })
})

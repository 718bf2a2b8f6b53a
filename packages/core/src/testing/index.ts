export { adapterSuite } from './adapter-suite.ts'
export { check, VERDICTS, type Finding, type History, type SeenEntry, type SentEntry, type Verdict } from './check.ts'
export { runConsumer } from './consumer-process.ts'
export type {
  AlarmHooks,
  BrokerHooks,
  CredentialHooks,
  FaultHooks,
  ProcessHooks,
  ProxiedClient,
} from './fault-hooks.ts'
export { createFaultProxy, type FaultProxy, type FaultProxyOptions } from './fault-proxy.ts'
export { createHarness, type FoundMessage, type Harness } from './harness.ts'
export type { Match } from './harness-match.ts'
export type { HarnessOptions } from './harness-options.ts'
export { manualTime, type ManualTime } from './manual-time.ts'
export type { CasesOptions, Misconfigured, SuiteHooks, SuiteOptions } from './options.ts'
export type { Chop } from './one-way-line.ts'
export type { Direction, Faults } from './proxied-connection.ts'
export { nodeRunner, type NodeTest } from './node-runner.ts'
export { levelsOf, LEVELS, type Level, type LevelResult } from './levels.ts'
export { reportText } from './report.ts'
export type { CaseOutcome, CaseResult, Report } from './case-result.ts'
export { runCases } from './run-cases.ts'
export type { RunningTest, SuiteRunner } from './runner.ts'
export { separateClient } from './separate-client.ts'

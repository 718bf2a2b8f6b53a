import { fileURLToPath } from 'node:url'
import type { CasesOptions, ProcessHooks } from '@waybill/core/testing'

/** A broker of one's own with all that the suite may do to it. */
export interface FaultRig extends AsyncDisposable {
  readonly suite: Required<Pick<CasesOptions, 'name' | 'create' | 'hooks'>> & Pick<CasesOptions, 'idleTimeoutMs'>
}

/** Bounds of a run through faults: brokers take their time to come back. */
export const PATIENCE = Object.freeze({ idleTimeoutMs: 60_000, caseTimeoutMs: 600_000, quietMs: 1_000 })

/** A script beside this one as a consumer process that runs on the sources. */
export function processOf(script: string, options: Pick<ProcessHooks, 'environment' | 'takeoverMs'>): ProcessHooks {
  return {
    ...options,
    script: fileURLToPath(new URL(script, import.meta.url)),
    execArgv: ['--import', new URL('resolve-sources.ts', import.meta.url).href],
  }
}

import { randomInt } from 'node:crypto'
import { ConfigError } from '../errors.ts'
import type { Transport } from '../transport.ts'
import type { CaseResult } from './case-result.ts'
import type { FaultHooks } from './fault-hooks.ts'
import type { SuiteRunner } from './runner.ts'

/** What an adapter can let the suite do to its surroundings; a case without its hook runs in part, and the report says so. */
export interface SuiteHooks extends FaultHooks {
  /** Takes the connection away from under this client, as a broker or network would; the client heals by itself. */
  disconnect?(transport: Transport): Promise<void>
  /** Takes the broker out of this client's reach until the returned function is called; the client heals by itself. */
  isolate?(transport: Transport): Promise<() => void | Promise<void>>
  /** Clients with one wrong setting each, such as a port where nobody listens. */
  misconfigured?(): readonly Misconfigured[] | Promise<readonly Misconfigured[]>
}

/** A client that must not come to work. */
export interface Misconfigured {
  /** What is wrong, in words: "a wrong password". */
  readonly what: string
  /** What the error has to name so that its reader knows which setting to look at. */
  readonly names: string | RegExp
  /** May throw what its options are refused with. */
  create(): Transport | Promise<Transport>
}

export interface CasesOptions {
  /** Names the adapter in titles and in the report. */
  readonly name: string
  /** Makes one fresh client; all of them reach the same broker. The suite disposes what it made. */
  readonly create: () => Transport | Promise<Transport>
  readonly hooks?: SuiteHooks | undefined
  /**
   * What must never come out: passwords, tokens. Console, output, `logLines` and errors are searched for each, as it is
   * and percent-encoded.
   * @default none
   */
  readonly secrets?: readonly string[] | undefined
  /** What the logger given to the clients wrote: the test pushes, the suite searches. @default none */
  readonly logLines?: readonly string[] | undefined
  /** The carrier lives in this process or in files: no connection to lose, to cut off or to configure. @default false */
  readonly noConnection?: boolean | undefined
  /** Drives all choices of a run; each report names it. @default WAYBILL_SUITE_SEED, else a random one */
  readonly seed?: number | undefined
  /** Cases by id; the others are not run. @default all */
  readonly only?: readonly string[] | undefined
  /** How many cases run at once, where joining takes long and processors have time. @default 1 */
  readonly concurrent?: number | undefined
  /** Messages of the biggest case; the others shrink with it. @default 5_000 */
  readonly volume?: number | undefined
  /** How long nothing more may come after the last expected message. @default 500 (milliseconds) */
  readonly quietMs?: number | undefined
  /** How long a broker is away, silent or blocked in cases about that. @default 20_000 (milliseconds) */
  readonly faultMs?: number | undefined
  /** How long members come and go, and how long the soak goes on. @default 30_000 (milliseconds) */
  readonly soakMs?: number | undefined
  /** Told of each case as it ends. @default nobody */
  readonly onResult?: ((result: CaseResult) => void) | undefined
  /** A wait fails after this time without any event. @default 15_000 (milliseconds) */
  readonly idleTimeoutMs?: number | undefined
  /** A case fails after this time, whatever happens. @default 120_000 (milliseconds) */
  readonly caseTimeoutMs?: number | undefined
}

export interface SuiteOptions extends CasesOptions {
  /** `{ describe, it }` of vitest or of `node:test`. */
  readonly runner: SuiteRunner
  /** Where the report goes. @default console.log */
  readonly print?: ((text: string) => void) | undefined
}

export const SUITE_DEFAULTS = Object.freeze({
  concurrent: 1,
  volume: 5_000,
  quietMs: 500,
  faultMs: 20_000,
  soakMs: 30_000,
  idleTimeoutMs: 15_000,
  caseTimeoutMs: 120_000,
})

export interface ResolvedOptions {
  readonly name: string
  readonly create: () => Transport | Promise<Transport>
  readonly hooks: SuiteHooks
  readonly noConnection: boolean
  readonly onResult: (result: CaseResult) => void
  readonly secrets: readonly string[]
  readonly logLines: readonly string[]
  readonly seed: number
  readonly only: readonly string[] | undefined
  readonly concurrent: number
  readonly volume: number
  readonly quietMs: number
  readonly faultMs: number
  readonly soakMs: number
  readonly idleTimeoutMs: number
  readonly caseTimeoutMs: number
}

/** @throws {ConfigError} for a number out of its bounds */
export function resolveOptions(options: CasesOptions): ResolvedOptions {
  const {
    concurrent = SUITE_DEFAULTS.concurrent,
    volume = SUITE_DEFAULTS.volume,
    quietMs = SUITE_DEFAULTS.quietMs,
    faultMs = SUITE_DEFAULTS.faultMs,
    soakMs = SUITE_DEFAULTS.soakMs,
    idleTimeoutMs = SUITE_DEFAULTS.idleTimeoutMs,
    caseTimeoutMs = SUITE_DEFAULTS.caseTimeoutMs,
  } = options
  const bounds = {
    concurrent: 1,
    volume: 200,
    quietMs: 1,
    faultMs: 100,
    soakMs: 1_000,
    idleTimeoutMs: 100,
    caseTimeoutMs: 1_000,
  }
  const values = { concurrent, volume, quietMs, faultMs, soakMs, idleTimeoutMs, caseTimeoutMs }
  for (const [field, least] of Object.entries(bounds)) {
    const value = values[field as keyof typeof bounds]
    if (!Number.isSafeInteger(value) || value < least) {
      throw new ConfigError(`${field} of the suite is ${value}: give a whole number from ${least}`)
    }
  }
  const { name, create, hooks = {}, noConnection = false, secrets = [], logLines = [], only } = options
  if (secrets.includes('')) throw new ConfigError('secrets holds an empty text, which is found in every line')
  if (hooks.broker !== undefined && concurrent > 1) {
    throw new ConfigError(`concurrent of the suite is ${concurrent}: cases that end the broker run alone, leave it out`)
  }
  return Object.freeze({
    name,
    create,
    hooks,
    noConnection,
    onResult: options.onResult ?? (() => {}),
    secrets,
    logLines,
    seed: options.seed ?? givenSeed(),
    only,
    ...values,
  })
}

function givenSeed(): number {
  const given = process.env.WAYBILL_SUITE_SEED
  return given !== undefined && /^\d{1,9}$/.test(given) ? Number(given) : randomInt(1, 1_000_000_000)
}

import { ConfigError } from './errors.ts'

/**
 * When a service stops by itself, and how it finds out that it may go on. Errors of a dependency stop it at once, as the
 * retry policy says; other failures only where `failures` is given.
 */
export interface CircuitOptions {
  /**
   * So many failed tries in a row, of any kind, open the circuit. One that works ends the run, so a service that fails half
   * of the time goes on: what fails goes to its retries and dead letters. @default Infinity (off)
   */
  readonly failures?: number | undefined
  /** The run counts only if it happened within this time. @default 60_000 (milliseconds) */
  readonly windowMs?: number | undefined
  /** Wait before the first probe; it doubles with each that fails. @default 1_000 (milliseconds) */
  readonly firstProbeMs?: number | undefined
  /** @default 30_000 (milliseconds) */
  readonly maxProbeMs?: number | undefined
}

export type CircuitSettings = { readonly [Name in keyof CircuitOptions]-?: number }

export const CIRCUIT_DEFAULTS: CircuitSettings = Object.freeze({
  failures: Infinity,
  windowMs: 60_000,
  firstProbeMs: 1_000,
  maxProbeMs: 30_000,
})

/** @throws {ConfigError} for a bound out of range */
export function resolveCircuit(given: CircuitOptions = {}): CircuitSettings {
  const chosen = Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined))
  const settings: CircuitSettings = { ...CIRCUIT_DEFAULTS, ...chosen }
  const { failures, windowMs, firstProbeMs, maxProbeMs } = settings
  if (failures !== Infinity && !(Number.isSafeInteger(failures) && failures >= 1 && failures <= 10_000)) {
    throw new ConfigError(`circuit.failures is ${failures}: give a whole number from 1 to 10000, or Infinity for off`)
  }
  for (const [field, value] of Object.entries({ windowMs, firstProbeMs, maxProbeMs })) {
    if (!(value > 0 && value <= 86_400_000)) {
      throw new ConfigError(`circuit.${field} is ${value}: give milliseconds above 0, at most a day`)
    }
  }
  if (firstProbeMs > maxProbeMs) {
    throw new ConfigError(`circuit.firstProbeMs is ${firstProbeMs}: give at most maxProbeMs, which is ${maxProbeMs}`)
  }
  return Object.freeze(settings)
}

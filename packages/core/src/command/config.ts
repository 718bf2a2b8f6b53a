import { resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import type { AsyncApiDocument, AsyncApiOptions } from '../asyncapi/index.ts'
import type { Bus } from '../bus.ts'
import { ConfigError } from '../errors.ts'
import type { Parked } from '../parked.ts'
import type { Transport } from '../transport.ts'

/** What a file given by `--config` exports: values, promises, or functions that give them; named, or as one default object. */
export interface CommandConfig {
  /** For `waybill asyncapi`. */
  readonly asyncapi?: Exported<AsyncApiOptions | AsyncApiDocument>
  /** For `waybill replay`, the first that is there: a store, a bus, a transport. */
  readonly parked?: Exported<Parked>
  readonly bus?: Exported<Bus>
  readonly transport?: Exported<Transport>
  /** Called at the end, to close what the file opened. A bus or transport that was used is closed without it. */
  close?(): unknown
}

export type Exported<T> = T | Promise<T> | (() => T | Promise<T>)

/** @throws {ConfigError} for a file that can't be loaded */
export function loadConfig(file: string): Promise<CommandConfig> {
  return loadModule<CommandConfig>(file)
}

/**
 * What a JavaScript file exports, by name or as one default object.
 * @throws {ConfigError} for a file that can't be loaded
 */
export async function loadModule<T extends object>(file: string): Promise<T> {
  let module: T & { readonly default?: T }
  try {
    module = (await import(pathToFileURL(resolve(file)).href)) as typeof module
  } catch (cause) {
    throw new ConfigError(`${file} can not be loaded: ${textOf(cause)}`, { cause })
  }
  // a CommonJS file comes with its exports as default
  return { ...module.default, ...module }
}

export async function valueOf<T>(exported: Exported<T>): Promise<T> {
  return await (typeof exported === 'function' ? (exported as () => T | Promise<T>)() : exported)
}

/** Never a stack: who runs the command did not write the code. */
export function textOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  // several addresses of one host fail as one error without a text
  if (error.message === '' && error instanceof AggregateError) return error.errors.map(textOf).join('; ')
  return error.message === '' ? error.name : error.message
}

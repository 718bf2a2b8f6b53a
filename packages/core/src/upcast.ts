import type { Codec } from './codec.ts'
import { CodecError, ConfigError } from './errors.ts'
import type { InferOutput, Schema } from './schema.ts'

/**
 * Makes this version's data out of an older version's. Pure and quick: it runs each time such a message is read. What the
 * codec read is given unchecked, so annotate it as the older version wrote it; `fromVersion` gives it checked and typed.
 */
export type Upcaster<Data> = { bivarianceHack(old: unknown): Data }['bivarianceHack']

/** What makes this version's data out of each older version's, by that version's number. */
export interface Upcasters<Data> {
  readonly [version: number]: Upcaster<Data> | VersionUpcaster<Data>
}

/** An upcaster that knows the definition it starts from; made by `fromVersion`. */
export interface VersionUpcaster<Data> {
  readonly from: OlderDefinition
  readonly upcast: (old: never) => Data
}

/** What is needed of an older version's definition to read its messages. */
export interface OlderDefinition<S extends Schema = Schema> {
  readonly type: string
  readonly version: number
  readonly schema: S
  readonly codec: Codec
  /** Of a request. */
  readonly replyCodec?: Codec | undefined
}

/** One older version that a definition reads. */
export interface OlderVersion {
  readonly version: number
  /** `undefined`: as the newer version's codec reads it. */
  readonly codec: Codec | undefined
  readonly replyCodec: Codec | undefined
  /** `undefined`: what the codec read is not checked before it is upcast. */
  readonly schema: Schema | undefined
  upcast(old: unknown): unknown
}

/**
 * An upcaster from a definition that is still at hand: its codec reads the bytes, its schema checks them, and `upcast`
 * gets what its handlers would get.
 * @example upcast: { 1: fromVersion(BookedV1, ({ days }) => ({ hours: days * 24 })) }
 */
export function fromVersion<S extends Schema, Data>(
  from: OlderDefinition<S>,
  upcast: (old: InferOutput<S>) => Data,
): VersionUpcaster<Data> {
  return Object.freeze({ from, upcast })
}

/** The type as it travels: `type` for version 1, `type.vN` after. */
export function wireTypeOf(type: string, version: number): string {
  return version === 1 ? type : `${type}.v${version}`
}

/**
 * The older versions by their type on the wire; `undefined` where there are none.
 * @throws {ConfigError} for a key that is no older version, or one that another definition's upcaster stands under
 */
export function resolveUpcasters(
  type: string,
  version: number,
  upcasters: Upcasters<unknown> | undefined,
): ReadonlyMap<string, OlderVersion> | undefined {
  const older = new Map<string, OlderVersion>()
  for (const [key, given] of Object.entries(upcasters ?? {})) {
    const from = Number(key)
    if (!Number.isSafeInteger(from) || from < 1 || from >= version) {
      throw new ConfigError(
        `upcast of "${type}" has the key ${JSON.stringify(key)}: give versions from 1 and below ${version}`,
      )
    }
    older.set(wireTypeOf(type, from), olderVersion(type, from, given))
  }
  return older.size === 0 ? undefined : older
}

function olderVersion(type: string, version: number, given: unknown): OlderVersion {
  if (typeof given === 'function') {
    return {
      version,
      codec: undefined,
      replyCodec: undefined,
      schema: undefined,
      upcast: given as OlderVersion['upcast'],
    }
  }
  const { from, upcast } = (given ?? {}) as Partial<VersionUpcaster<unknown>>
  if (from === undefined || typeof upcast !== 'function') {
    throw new ConfigError(`upcast ${version} of "${type}" is no function: give one, or fromVersion(Older, (old) => …)`)
  }
  if (from.type !== type || from.version !== version) {
    throw new ConfigError(
      `upcast ${version} of "${type}" is from version ${from.version} of "${from.type}": give it under its own number`,
    )
  }
  const { codec, replyCodec, schema } = from
  return { version, codec, replyCodec, schema, upcast: upcast as OlderVersion['upcast'] }
}

/**
 * Runs one conversion between versions.
 * @throws {CodecError} it threw; its own words may quote the data, so only its kind is told
 */
export function convert(what: string, run: (data: unknown) => unknown, data: unknown): unknown {
  try {
    return run(data)
  } catch (error) {
    const kind = error instanceof Error ? error.name : typeof error
    throw new CodecError(`${what} threw ${kind}: let it take every form that version had`)
  }
}

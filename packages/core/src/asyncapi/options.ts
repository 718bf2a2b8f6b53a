import type { Definition } from '../definition.ts'
import { ConfigError } from '../errors.ts'
import { gatherDestination } from '../gather-destination.ts'
import type { Route } from '../handler.ts'
import type { Schema } from '../schema.ts'
import type { Destination } from '../wire-message.ts'
import type { AsyncApiInfo, AsyncApiServer, AsyncApiTag } from './document.ts'

/** A definition with what the document says about it beyond what the definition knows. */
export interface Described {
  readonly definition: Definition
  /** Name of the operation. @default `send.<type>`, or `<service>.receive.<type>` */
  readonly operation?: string | undefined
  /** Name of the payload's schema. @default the type as it travels */
  readonly schema?: string | undefined
  readonly title?: string | undefined
  readonly summary?: string | undefined
  readonly description?: string | undefined
  readonly tags?: readonly AsyncApiTag[] | undefined
}

/** A definition as it is, with words about it, or the route that handles it. */
export type Entry = Definition | Described | Route

export interface AsyncApiOptions {
  /** Who describes itself: a URI such as `urn:example:com:rentals`. */
  readonly id?: string | undefined
  readonly info: AsyncApiInfo
  /** By name. `transport` says which `destination.transport` a server carries. @default the server's name */
  readonly servers?: Readonly<Record<string, AsyncApiServer & { readonly transport?: string | undefined }>> | undefined
  /** What the application sends: the events it publishes, its commands and requests. */
  readonly definitions?: readonly Entry[] | undefined
  /** What it receives, by service: the routes that `bus.subscribe` is given, or their definitions. */
  readonly services?: Readonly<Record<string, readonly Entry[]>> | undefined
  /** @default 'application/json' */
  readonly defaultContentType?: string | undefined
  /** Exchanges, queues, routing keys, topics and groups, in the terms of the servers' protocols. @default true */
  readonly bindings?: boolean | undefined
  /** The CloudEvents attributes of each message. @default true */
  readonly headers?: boolean | undefined
  /**
   * JSON Schema (draft 07) of a schema's input side, where its library offers none by itself or another is wanted.
   * @default what the library gives by Standard JSON Schema: zod from 4.2, arktype from 2.1.28
   * @see https://standardschema.dev/json-schema
   */
  readonly jsonSchema?: ((schema: Schema) => Record<string, unknown>) | undefined
}

/** One definition in one role: what the document makes an operation of. */
export interface Part extends Described {
  readonly action: 'send' | 'receive'
  /** Who receives; undefined for what is sent. */
  readonly service: string | undefined
  /** @default the definition's */
  readonly destination?: Destination | undefined
}

/** @throws {ConfigError} for nothing to describe, or an entry that is no definition */
export function partsOf({ definitions = [], services = {} }: AsyncApiOptions): readonly Part[] {
  const parts = [
    ...definitions.map((entry): Part => ({ ...described(entry), action: 'send', service: undefined })),
    ...Object.entries(services).flatMap(([service, entries]) =>
      entries.flatMap((entry) => received(described(entry), service)),
    ),
  ]
  if (parts.length === 0) throw new ConfigError('nothing to describe: give definitions, services, or both')
  return parts
}

/** A request is read twice: from its queue, and from the topic where gatherings ask; Kafka has one topic for both. */
function received(given: Described, service: string): readonly Part[] {
  const { definition, operation } = given
  const part: Part = { ...given, action: 'receive', service }
  if (definition.kind !== 'request' || definition.destination.kind !== 'queue') return [part]
  const name = operation ?? `${service}.receive.${definition.wireType}`
  return [part, { ...part, operation: `${name}.gathered`, destination: gatherDestination(definition.destination) }]
}

function described(entry: Entry): Described {
  if ('wireType' in entry) return { definition: entry }
  if (typeof entry.definition?.wireType === 'string') return entry
  throw new ConfigError('an entry is no definition: give what defineEvent, on() or { definition } is')
}

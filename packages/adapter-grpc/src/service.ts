import { loadSync, type MethodDefinition } from '@grpc/proto-loader'
import { ConfigError, type Schema } from '@waybill/core'
import { fileURLToPath } from 'node:url'
import { messageWire, type MessageWire } from './wire.ts'

/** What the messages of one bidirectional method look like. */
export interface MethodSchemas {
  readonly request: Schema
  readonly response: Schema
}

export interface StreamMethod<Req extends Schema = Schema, Res extends Schema = Schema> {
  /** As it travels: `/package.Service/Method`. */
  readonly path: string
  readonly request: MessageWire<Req>
  readonly response: MessageWire<Res>
}

/** The bidirectional methods of a service: what `bidi` implements and a channel calls. */
export interface StreamService<M extends Record<string, MethodSchemas> = Record<string, MethodSchemas>> {
  /** With its package: `shop.v1.Checkout`. */
  readonly name: string
  readonly methods: { readonly [K in keyof M]: StreamMethod<M[K]['request'], M[K]['response']> }
}

export interface LoadServiceOptions<M extends Record<string, MethodSchemas>> {
  /** The `.proto` file: a path or a file URL. */
  readonly proto: string | URL
  /** With its package, if it has one. */
  readonly service: string
  /** Per bidirectional method the schemas of both directions; methods left out are not served. */
  readonly methods: M
  /** Where `import` looks. */
  readonly includeDirs?: readonly string[] | undefined
}

/**
 * Reads a user's own `.proto` and ties schemas to its bidirectional methods. Field names stay as written, 64-bit
 * integers and enums are text, absent fields have their default.
 * @throws {ConfigError} no such file, service or method, or a method that does not stream both ways
 * @example const Chat = loadService({ proto: url, service: 'Chat', methods: { Talk: { request: Line, response: Line } } })
 */
export function loadService<M extends Record<string, MethodSchemas>>(options: LoadServiceOptions<M>): StreamService<M> {
  const { service: name, methods } = options
  const path = options.proto instanceof URL ? fileURLToPath(options.proto) : options.proto
  const service = loadProto(path, options.includeDirs)[name]
  if (service === undefined || 'format' in service) {
    throw new ConfigError(`service "${name}" is not in ${path}: give its name with its package`)
  }
  const entries = Object.entries(methods).map(([method, schemas]) => {
    const definition = service[method] as MethodDefinition<object, object> | undefined
    if (definition === undefined) throw new ConfigError(`method "${method}" is not in service "${name}" of ${path}`)
    return [method, streamMethod(`${name}.${method}`, definition, schemas)] as const
  })
  return Object.freeze({ name, methods: Object.freeze(Object.fromEntries(entries)) as StreamService<M>['methods'] })
}

function loadProto(path: string, includeDirs: readonly string[] | undefined): ReturnType<typeof loadSync> {
  const shape = { keepCase: true, longs: String, enums: String, defaults: true, oneofs: true }
  try {
    return loadSync(path, { ...shape, ...(includeDirs && { includeDirs: [...includeDirs] }) })
  } catch (cause) {
    throw new ConfigError(`proto ${path} can not be read: give a .proto file`, { cause })
  }
}

function streamMethod(
  what: string,
  definition: MethodDefinition<object, object>,
  schemas: MethodSchemas,
): StreamMethod {
  if (!definition.requestStream || !definition.responseStream) {
    throw new ConfigError(`method "${what}" does not stream both ways: only "stream … returns (stream …)" is served`)
  }
  return Object.freeze({
    path: definition.path,
    request: messageWire({
      what: `request of ${what}`,
      schema: schemas.request,
      serialize: definition.requestSerialize,
      deserialize: definition.requestDeserialize,
    }),
    response: messageWire({
      what: `response of ${what}`,
      schema: schemas.response,
      serialize: definition.responseSerialize,
      deserialize: definition.responseDeserialize,
    }),
  })
}

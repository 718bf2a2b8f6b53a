import type { Definition, RequestDefinition } from '../definition.ts'
import { ConfigError } from '../errors.ts'
import { replyDefinition } from '../reply.ts'
import type { Destination } from '../wire-message.ts'
import type {
  AsyncApiChannel,
  AsyncApiDocument,
  AsyncApiMessage,
  AsyncApiOperation,
  JsonSchema,
  Reference,
} from './document.ts'
import { fromRoot } from './local-references.ts'
import { partsOf, type AsyncApiOptions, type Part } from './options.ts'
import { payloadSchema } from './payload.ts'
import { headersSchema, protocolOf, type Protocol } from './protocol.ts'

/**
 * Turns definitions and subscriptions into an AsyncAPI 3.0 document.
 * @example asyncapi({ info: { title: 'Rentals', version: '1.0.0' }, definitions: [RentalBooked], services: { billing: [on(InvoicePaid, pay)] } })
 * @throws {ConfigError} for a schema or codec that tells no schema, a name given twice, or a transport that no server carries
 * @see https://www.asyncapi.com/docs/reference/specification/v3.0.0
 */
export function asyncapi(options: AsyncApiOptions): AsyncApiDocument {
  const draft = new Draft(options)
  for (const part of partsOf(options)) draft.add(part)
  return draft.finish()
}

interface Channel {
  readonly id: string
  readonly destination: Destination
  readonly servers: readonly string[]
  readonly protocol: Protocol
  readonly messages: Map<string, Definition>
}

class Draft {
  readonly #options: AsyncApiOptions
  readonly #servers: NonNullable<AsyncApiOptions['servers']>
  readonly #channels = new Map<string, Channel>()
  readonly #replies: Record<string, AsyncApiChannel> = {}
  readonly #operations: Record<string, AsyncApiOperation> = {}
  readonly #messages: Record<string, AsyncApiMessage> = {}
  readonly #schemas: Record<string, JsonSchema> = {}
  /** Which definition took a name, so that the next one of that name is noticed. */
  readonly #taken = new Map<string, unknown>()

  constructor(options: AsyncApiOptions) {
    this.#options = options
    this.#servers = options.servers ?? {}
  }

  add(part: Part): void {
    const { definition, action, service, title, summary, description, tags } = part
    const channel = this.#channelOf(part.destination ?? definition.destination)
    const message = this.#message(part, channel.protocol, definition.kind === 'request' ? 'request' : 'message')
    channel.messages.set(message, definition)
    const fallback = service === undefined ? `send.${definition.wireType}` : `${service}.receive.${definition.wireType}`
    const operation = this.#claim('operation', part.operation ?? fallback, part)
    const bindings = this.#options.bindings === false ? undefined : channel.protocol.operation(part)
    this.#operations[operation] = defined<AsyncApiOperation>({
      action,
      channel: pointer('channels', channel.id),
      messages: [pointer('channels', channel.id, 'messages', message)],
      title,
      summary,
      description,
      tags,
      ...(definition.kind === 'request' && { reply: this.#reply(definition as RequestDefinition, part, channel) }),
      bindings,
    })
  }

  finish(): AsyncApiDocument {
    const { id, info, defaultContentType = 'application/json' } = this.#options
    const servers = Object.entries(this.#servers).map(([name, { transport: _, ...server }]) => [name, server] as const)
    const channels = [...this.#channels.values()].map((channel) => [channel.id, this.#written(channel)] as const)
    return defined<AsyncApiDocument>({
      asyncapi: '3.0.0',
      id,
      info,
      defaultContentType,
      ...(servers.length > 0 && { servers: Object.fromEntries(servers) }),
      channels: { ...Object.fromEntries(channels), ...this.#replies },
      operations: this.#operations,
      components: { messages: this.#messages, schemas: this.#schemas },
    })
  }

  #channelOf(destination: Destination): Channel {
    const { transport, kind, name, subject } = destination
    const key = JSON.stringify([transport, kind, name, subject])
    const known = this.#channels.get(key)
    if (known !== undefined) return known
    if (/[?#{}]/.test(name + (subject ?? ''))) {
      throw new ConfigError(
        `destination "${name}"${subject === undefined ? '' : ` with subject "${subject}"`}: an AsyncAPI address has no "?", "#", "{" or "}"; rename it, or leave it out`,
      )
    }
    const servers = this.#carriers(destination)
    const protocols = new Set(servers.map((server) => protocolOf(this.#servers[server]!.protocol, this.#binds)))
    const id = this.#free([
      subject === undefined ? name : `${name}/${subject}`,
      ...(transport === undefined ? [] : [`${transport}/${name}/${subject ?? kind}`]),
      `${transport ?? 'any'}/${kind}/${name}/${subject ?? ''}`,
    ])
    const protocol = protocols.size === 1 ? [...protocols][0]! : protocolOf(undefined, this.#binds)
    const channel = { id, destination, servers, protocol, messages: new Map<string, Definition>() }
    this.#channels.set(key, channel)
    return channel
  }

  get #binds(): boolean {
    return this.#options.bindings !== false
  }

  /** The servers that carry a destination: those of its transport, all of them where it names none. */
  #carriers({ name, transport }: Destination): readonly string[] {
    const all = Object.keys(this.#servers)
    if (transport === undefined) return all
    const carrying = all.filter((server) => (this.#servers[server]!.transport ?? server) === transport)
    if (carrying.length > 0 || all.length === 0) return carrying
    throw new ConfigError(
      `destination "${name}" names the transport "${transport}", which no server carries: give one the option transport: '${transport}'`,
    )
  }

  #written({ destination, servers, protocol, messages }: Channel): AsyncApiChannel {
    const types = [...messages.values()].map(({ wireType }) => wireType)
    const references = [...messages.keys()].map((message) => [message, pointer('components', 'messages', message)])
    const { address, parameters, bindings } = protocol.channel(destination, types)
    return defined<AsyncApiChannel>({
      address,
      messages: Object.fromEntries(references) as Record<string, Reference>,
      parameters,
      // a channel without the list is on all of them
      ...(servers.length < Object.keys(this.#servers).length && {
        servers: servers.map((server) => pointer('servers', server)),
      }),
      bindings,
    })
  }

  #reply(request: RequestDefinition, part: Part, channel: Channel): AsyncApiOperation['reply'] {
    const { protocol } = channel
    const id = `${channel.id}.reply`
    const definition = replyDefinition(request, '')
    const replied = {
      ...part,
      definition,
      schema: undefined,
      title: undefined,
      summary: undefined,
      description: undefined,
    }
    const message = this.#message(replied, protocol, 'reply')
    const known = this.#replies[id]?.messages
    this.#replies[id] = {
      address: null,
      messages: { ...known, [message]: pointer('components', 'messages', message) },
    }
    return {
      address: {
        location: `$message.header#/${escaped(protocol.replyTo)}`,
        description: 'The requester names the address of its replies in each request.',
      },
      channel: pointer('channels', id),
      messages: [pointer('channels', id, 'messages', message)],
    }
  }

  /** Describes a message once, however many operations it takes part in; gives its name. */
  #message(part: Part, protocol: Protocol, role: 'message' | 'request' | 'reply'): string {
    const { definition, title, summary, description } = part
    const { wireType, codec } = definition
    // a reply's definition is made anew each time; its schema is the request's own
    const owner = role === 'reply' ? definition.schema : definition
    const name = this.#claim('message', componentKey(wireType), owner)
    if (this.#messages[name] !== undefined) return name
    const { defaultContentType = 'application/json', headers } = this.#options
    const bindings = this.#binds ? protocol.message(definition) : undefined
    this.#messages[name] = defined<AsyncApiMessage>({
      name: wireType,
      title,
      summary,
      description,
      ...(codec.contentType !== defaultContentType && { contentType: codec.contentType }),
      ...(headers !== false && { headers: headersSchema(protocol, definition, role) }),
      payload: this.#payload(part),
      ...(role !== 'message' && {
        correlationId: {
          location: `$message.header#/${escaped(protocol.correlationId)}`,
          description: 'Ties the reply to its request.',
        },
      }),
      bindings,
    })
    return name
  }

  #payload({ definition, schema = definition.wireType }: Part): AsyncApiMessage['payload'] {
    const payload = payloadSchema(definition, this.#options)
    if (!('json' in payload)) return payload
    const name = this.#claim('schema', componentKey(schema), definition.schema)
    const reference = pointer('components', 'schemas', name)
    this.#schemas[name] ??= fromRoot(payload.json, reference.$ref) as JsonSchema
    return reference
  }

  /** @throws {ConfigError} when another one has that name */
  #claim(what: string, name: string, owner: unknown): string {
    const key = `${what} ${name}`
    if (!this.#taken.has(key)) this.#taken.set(key, owner)
    else if (this.#taken.get(key) !== owner) {
      throw new ConfigError(`two different things are to be the ${what} "${name}": rename one, or give one definition`)
    }
    return name
  }

  #free(wanted: readonly string[]): string {
    const ids = new Set([...this.#channels.values()].map(({ id }) => id))
    return wanted.find((id) => !ids.has(id)) ?? wanted.at(-1)!
  }
}

/** Keys of components are made of these characters alone. */
function componentKey(name: string): string {
  return name.replaceAll(/[^\w.-]/g, '.')
}

function pointer(...path: readonly string[]): Reference {
  return { $ref: `#/${path.map((step) => encodeURI(escaped(step))).join('/')}` }
}

/** @see https://www.rfc-editor.org/rfc/rfc6901#section-3 */
function escaped(step: string): string {
  return step.replaceAll('~', '~0').replaceAll('/', '~1')
}

/** Without the fields that are undefined, in all depths: they are no JSON. */
function defined<T>(value: { readonly [Field in keyof T]: T[Field] | undefined }): T {
  return JSON.parse(JSON.stringify(value)) as T
}

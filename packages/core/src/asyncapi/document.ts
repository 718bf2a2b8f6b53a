/** A JSON Schema of draft 07, or the reference to one. */
export type JsonSchema = Readonly<Record<string, unknown>>

/** Points to another place in the document: `#/components/messages/…`. */
export interface Reference {
  readonly $ref: string
}

/** A schema in a language of its own, such as Avro's. */
export interface MultiFormatSchema {
  readonly schemaFormat: string
  readonly schema: unknown
}

export interface AsyncApiContact {
  readonly name?: string | undefined
  readonly url?: string | undefined
  readonly email?: string | undefined
}

export interface AsyncApiLicense {
  readonly name: string
  readonly url?: string | undefined
}

export interface AsyncApiTag {
  readonly name: string
  readonly description?: string | undefined
}

export interface AsyncApiInfo {
  readonly title: string
  readonly version: string
  readonly description?: string | undefined
  readonly termsOfService?: string | undefined
  readonly contact?: AsyncApiContact | undefined
  readonly license?: AsyncApiLicense | undefined
  readonly tags?: readonly AsyncApiTag[] | undefined
}

export interface AsyncApiServer {
  readonly host: string
  /** `amqp`, `amqps`, `kafka`, `kafka-secure` and others. */
  readonly protocol: string
  readonly protocolVersion?: string | undefined
  readonly pathname?: string | undefined
  readonly title?: string | undefined
  readonly summary?: string | undefined
  readonly description?: string | undefined
}

/** What is said in the terms of one protocol: `amqp`, `kafka`. */
export type Bindings = Readonly<Record<string, Readonly<Record<string, unknown>>>>

export interface AsyncApiChannel {
  /** `null`: known only when a message names it, as a reply's is. */
  readonly address: string | null
  readonly messages: Readonly<Record<string, Reference>>
  readonly parameters?: Readonly<Record<string, { readonly enum: readonly string[]; readonly description: string }>>
  readonly servers?: readonly Reference[]
  readonly bindings?: Bindings
}

export interface AsyncApiOperation {
  readonly action: 'send' | 'receive'
  readonly channel: Reference
  readonly messages: readonly Reference[]
  readonly title?: string
  readonly summary?: string
  readonly description?: string
  readonly tags?: readonly AsyncApiTag[]
  readonly reply?: {
    readonly address: { readonly location: string; readonly description: string }
    readonly channel: Reference
    readonly messages: readonly Reference[]
  }
  readonly bindings?: Bindings
}

export interface AsyncApiMessage {
  readonly name: string
  readonly title?: string
  readonly summary?: string
  readonly description?: string
  readonly contentType?: string
  readonly headers?: JsonSchema
  readonly payload: Reference | MultiFormatSchema
  readonly correlationId?: { readonly location: string; readonly description: string }
  readonly bindings?: Bindings
}

/** An AsyncAPI 3.0 document, ready for `JSON.stringify`. @see https://www.asyncapi.com/docs/reference/specification/v3.0.0 */
export interface AsyncApiDocument {
  readonly asyncapi: '3.0.0'
  readonly id?: string
  readonly info: AsyncApiInfo
  readonly defaultContentType: string
  readonly servers?: Readonly<Record<string, AsyncApiServer>>
  readonly channels: Readonly<Record<string, AsyncApiChannel>>
  readonly operations: Readonly<Record<string, AsyncApiOperation>>
  readonly components: {
    readonly messages: Readonly<Record<string, AsyncApiMessage>>
    readonly schemas: Readonly<Record<string, JsonSchema>>
  }
}

/** The part of amqplib that this package calls, by shape, so that none of its types stand in our public face. */
export interface AmqpConnection {
  createChannel(): Promise<AmqpChannel>
  createConfirmChannel(): Promise<AmqpConfirmChannel>
  on(event: string, listener: (...given: never[]) => void): unknown
  removeListener(event: string, listener: (...given: never[]) => void): unknown
  close(): Promise<void>
}

export interface AmqpChannel {
  on(event: string, listener: (...given: never[]) => void): unknown
  assertExchange(name: string, type: string, options?: object): Promise<unknown>
  checkExchange(name: string): Promise<unknown>
  assertQueue(name: string, options?: object): Promise<{ readonly queue: string; readonly messageCount: number }>
  checkQueue(name: string): Promise<{ readonly messageCount: number; readonly consumerCount: number }>
  bindQueue(queue: string, exchange: string, pattern: string, given?: object): Promise<unknown>
  unbindQueue(queue: string, exchange: string, pattern: string): Promise<unknown>
  deleteQueue(name: string, options?: object): Promise<unknown>
  deleteExchange(name: string): Promise<unknown>
  bindExchange(destination: string, source: string, pattern: string, given?: object): Promise<unknown>
  unbindExchange(destination: string, source: string, pattern: string): Promise<unknown>
  prefetch(count: number): Promise<unknown>
  consume(
    queue: string,
    onMessage: (message: AmqpMessage | null) => void,
    options?: object,
  ): Promise<{ readonly consumerTag: string }>
  cancel(consumerTag: string): Promise<unknown>
  get(queue: string): Promise<AmqpMessage | false>
  ack(message: AmqpMessage, allUpTo?: boolean): void
  nack(message: AmqpMessage, allUpTo: boolean, requeue: boolean): void
  close(): Promise<void>
}

export interface AmqpConfirmChannel extends AmqpChannel {
  publish(
    exchange: string,
    routingKey: string,
    content: Buffer,
    options: object,
    onConfirm: (error: Error | null) => void,
  ): boolean
}

/** A message as it came from the broker. */
export interface AmqpMessage {
  readonly fields: {
    readonly deliveryTag?: number
    readonly redelivered?: boolean
    readonly exchange: string
    readonly routingKey: string
  }
  readonly properties: AmqpProperties
  readonly content: Buffer
}

export interface AmqpProperties {
  readonly headers?: Readonly<Record<string, unknown>> | undefined
  readonly contentType?: string | undefined
  readonly contentEncoding?: string | undefined
  readonly deliveryMode?: number | undefined
  readonly priority?: number | undefined
  readonly correlationId?: string | undefined
  readonly replyTo?: string | undefined
  readonly messageId?: string | undefined
  /** Seconds since the epoch. */
  readonly timestamp?: number | undefined
  readonly type?: string | undefined
  readonly appId?: string | undefined
}

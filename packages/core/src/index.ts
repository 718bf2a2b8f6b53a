export { bridge, type Bridge, type BridgeStats } from './bridge/bridge.ts'
export { forward, type Forward, type ForwardAllOptions, type ForwardOptions, type Origin } from './bridge/forward.ts'
export type { BridgeOptions } from './bridge/options.ts'
export type * from './bus.ts'
export type { Capabilities } from './capabilities.ts'
export { CIRCUIT_DEFAULTS, type CircuitOptions } from './circuit.ts'
export { json, jsonCodec, type Codec, type CodecLimits, type JsonOptions } from './codec.ts'
export * from './definition.ts'
export type { DeliverEvent, LateReplyEvent, PublishEvent, RequestEvent, SettleEvent } from './diagnostics.ts'
export * from './errors.ts'
export type { Answer, Expected, Gathered, GatheredFailure, GatheredReply, Gathering, Missing } from './gathering.ts'
export {
  on,
  respond,
  type BatchHandler,
  type BatchResult,
  type Context,
  type Forwarder,
  type Handler,
  type Reply,
  type Responder,
  type Route,
} from './handler.ts'
export { keyedPublisher } from './keyed-publisher.ts'
export { guardedLogger, silentLogger, type Logger } from './logger.ts'
export type { IncomingDelivery, Middleware } from './middleware/middleware.ts'
export { decode, encode, messageInfo, type EncodeContext, type MessageInfo, type SendOptions } from './message.ts'
export { onBatch, type BatchOptions } from './on-batch.ts'
export type { Parked, ParkedMessage, ParkedStore } from './parked.ts'
export { sleep, systemPorts, uuidv7, type Clock, type Ports, type Timers } from './ports.ts'
export type { RateLimit } from './rate-limit.ts'
export {
  isDependencyError,
  reasonOf,
  retryPolicy,
  type RetryContext,
  type RetryDecision,
  type RetryOptions,
  type RetryPolicy,
} from './retry.ts'
export { route, type RoutedTransport } from './route.ts'
export { validate, type InferInput, type InferOutput, type Schema } from './schema.ts'
export { shared } from './shared.ts'
export { subjectMatches } from './subject.ts'
export type * from './telemetry.ts'
export { inTransaction } from './transaction-scope.ts'
export type * from './transport.ts'
export {
  fromVersion,
  type OlderDefinition,
  type OlderVersion,
  type Upcaster,
  type Upcasters,
  type VersionUpcaster,
} from './upcast.ts'
export type { CallOptions, Destination, WireHeaders, WireMessage } from './wire-message.ts'
export { createBus } from './create-bus.ts'

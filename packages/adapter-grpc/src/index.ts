export { bidi, type BidiOptions, type StreamCall, type StreamHandler, type StreamRoute } from './bidi.ts'
export { createChannel, type ChannelOptions, type OpenOptions, type StreamChannel } from './channel.ts'
export type { ClientTls, Pem, ServerTls } from './credentials.ts'
export type { ConnectionOptions } from './options.ts'
export type { ResumingOptions, ResumingStream } from './resuming.ts'
export { serve, type ServeOptions, type StreamServer } from './server.ts'
export {
  loadService,
  type LoadServiceOptions,
  type MethodSchemas,
  type StreamMethod,
  type StreamService,
} from './service.ts'
export type { BidiStream, StreamOptions } from './stream.ts'
export type { MessageWire } from './wire.ts'

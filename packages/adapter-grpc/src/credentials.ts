import { ChannelCredentials, ServerCredentials } from '@grpc/grpc-js'
import { ConfigError } from '@waybill/core'

/** PEM text or bytes. */
export type Pem = string | Uint8Array

/** How a client trusts the server, and (mutual TLS) proves who it is. */
export interface ClientTls {
  /** @default the root certificates of Node */
  readonly ca?: Pem | undefined
  /** Together with `key`, for mutual TLS. */
  readonly cert?: Pem | undefined
  readonly key?: Pem | undefined
}

/** How a server proves who it is. */
export interface ServerTls {
  readonly cert: Pem
  readonly key: Pem
  /** Whose client certificates are good; with it each client must show one (mutual TLS). */
  readonly ca?: Pem | undefined
}

const bytes = (pem: Pem | undefined): Buffer | null => (pem === undefined ? null : Buffer.from(pem))

/** @throws {ConfigError} for a certificate without its key, or a key without its certificate */
export function clientCredentials(tls: ClientTls | undefined): ChannelCredentials {
  if (tls === undefined) return ChannelCredentials.createInsecure()
  if ((tls.cert === undefined) !== (tls.key === undefined)) {
    throw new ConfigError('tls has only one of cert and key: give both for mutual TLS, or neither')
  }
  return ChannelCredentials.createSsl(bytes(tls.ca), bytes(tls.key), bytes(tls.cert))
}

export function serverCredentials(tls: ServerTls | undefined): ServerCredentials {
  if (tls === undefined) return ServerCredentials.createInsecure()
  const pair = { cert_chain: Buffer.from(tls.cert), private_key: Buffer.from(tls.key) }
  return ServerCredentials.createSsl(bytes(tls.ca), [pair], tls.ca !== undefined)
}

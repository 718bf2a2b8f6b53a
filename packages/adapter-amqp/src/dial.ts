import { connect, credentials } from 'amqplib'
import { ConfigError, ConnectionError, TimeoutError } from '@waybill/core'
import type { MessagingError } from '@waybill/core'
import type { AmqpConnection } from './client.ts'
import type { Endpoint, ResolvedOptions } from './options.ts'

/**
 * Opens one connection, or fails with a typed error that holds neither password nor whole URL.
 * @throws {ConfigError} user, password, vhost or certificate refused; @throws {ConnectionError} not reached
 * @throws {TimeoutError} not open within `connectTimeoutMs`
 */
export async function dial(
  endpoint: Endpoint,
  purpose: string,
  options: ResolvedOptions,
  signal: AbortSignal,
): Promise<AmqpConnection> {
  const { tls, connectTimeoutMs, ports } = options
  const external = endpoint.username === undefined && tls?.cert !== undefined
  const opening = connect(
    {
      protocol: endpoint.tls ? 'amqps' : 'amqp',
      hostname: endpoint.host,
      port: endpoint.port,
      vhost: endpoint.vhost,
      heartbeat: Math.round(options.heartbeatMs / 1_000),
      ...(endpoint.username !== undefined && { username: endpoint.username, password: endpoint.password ?? '' }),
    },
    {
      ...(endpoint.tls && { ...tls, minVersion: 'TLSv1.2' }),
      ...(external && { credentials: credentials.external() }),
      noDelay: true,
      timeout: connectTimeoutMs,
      clientProperties: { connection_name: `${options.connectionName} ${purpose}` },
    },
  ) as Promise<unknown> as Promise<AmqpConnection>
  let cancel: () => void = () => {}
  const late = new Promise<never>((_resolve, reject) => {
    const giveUp = (reason: Error) => {
      opening.then(discard, () => {})
      reject(reason)
    }
    const onAbort = () => giveUp(signal.reason as Error)
    signal.addEventListener('abort', onAbort, { once: true })
    // amqplib's own time-out ends with silence only: a peer that trickles would hold us for ever
    const unschedule = ports.timers.schedule(() => giveUp(notInTime(endpoint, connectTimeoutMs)), connectTimeoutMs)
    cancel = () => {
      unschedule()
      signal.removeEventListener('abort', onAbort)
    }
  })
  try {
    return await Promise.race([opening, late])
  } catch (error) {
    throw signal.aborted ? error : judge(error, endpoint, connectTimeoutMs)
  } finally {
    cancel()
  }
}

function discard(connection: AmqpConnection): void {
  connection.on('error', () => {})
  connection.close().catch(() => {})
}

function notInTime(endpoint: Endpoint, connectTimeoutMs: number): TimeoutError {
  return new TimeoutError(
    `connect to ${endpoint.label} not done within ${connectTimeoutMs} ms: is it RabbitMQ? Else raise connectTimeoutMs`,
  )
}

function judge(cause: unknown, endpoint: Endpoint, connectTimeoutMs: number): MessagingError {
  if (cause instanceof TimeoutError) return cause
  const text = cause instanceof Error ? cause.message : ''
  const code = (cause as { code?: unknown } | undefined)?.code
  if (/ETIMEDOUT/.test(text)) return notInTime(endpoint, connectTimeoutMs)
  if (/ACCESS.REFUSED|NOT_ALLOWED/.test(text)) {
    return new ConfigError(`connect to ${endpoint.label}: the broker refused user or password of url`, { cause })
  }
  // amqplib hides the reason of a close in this state; a missing or forbidden vhost is the known one
  if (/Expected ConnectionOpenOk/.test(text)) {
    return new ConfigError(`connect to ${endpoint.label}: vhost missing, or not allowed to this user`, { cause })
  }
  if (/SASL mechanism/.test(text)) {
    return new ConfigError(`connect to ${endpoint.label}: the broker does not offer this way to log in`, { cause })
  }
  if (typeof code === 'string' && /CERT|SELF_SIGNED|TLS|SSL|ALTNAME|VERIFY/.test(code)) {
    const hint = tlsHint(code)
    return new ConfigError(`connect to ${endpoint.label}: TLS failed with ${code}: ${hint}`, { cause })
  }
  const short = typeof code === 'string' ? code : text.slice(0, 200)
  return new ConnectionError(`connect to ${endpoint.label} failed (${short}): check url and that the broker runs`, {
    cause,
  })
}

/** Which setting, or whose certificate, stands in the way. */
function tlsHint(code: string): string {
  if (code === 'CERT_HAS_EXPIRED') return "the broker's certificate has expired, renew it"
  if (code.includes('ALTNAME'))
    return "the broker's certificate is for another name, check the url's host or tls.servername"
  if (code.includes('ALERT')) return 'the broker does not take this certificate, check tls.cert and tls.key'
  if (/WRONG_VERSION|PACKET_LENGTH/.test(code)) return 'this port speaks no TLS, check port and protocol of url'
  return "check that tls.ca holds the CA of the broker's certificate"
}

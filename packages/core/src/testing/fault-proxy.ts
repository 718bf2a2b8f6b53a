import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net'
import { ConfigError } from '../errors.ts'
import {
  CONNECTION_UNHARMED,
  ProxiedConnection,
  withChop,
  withLatency,
  withSilence,
  type ConnectionFault,
  type Direction,
  type Faults,
} from './proxied-connection.ts'
import type { Chop } from './one-way-line.ts'

export interface FaultProxyOptions {
  /** Where it leads: a URL with a port (`amqp://guest:guest@localhost:5672/shop`), or `host:port`. */
  readonly target: string
  /** Bytes held for one direction of one connection, beside the sockets' own buffers. @default 1 MiB */
  readonly maxBytes?: number | undefined
}

/**
 * A line to a server on which all goes wrong that goes wrong on networks. Faults made on the proxy hold for all
 * connections, also for those that come later; those made on one of `connections` for that one.
 */
export interface FaultProxy extends Faults, AsyncDisposable {
  /** The target as clients reach it by way of the proxy, in the form it was given. */
  readonly url: string
  readonly port: number
  /** Those open now, oldest first. */
  readonly connections: readonly (Faults & { readonly queuedBytes: number })[]
  /** Each new connection is reset as it comes, until `heal`. */
  refuse(): void
  /** When connections were refused, on the clock of `performance.now()`; the last 10,000. */
  readonly refusedAtMs: readonly number[]
}

/**
 * Opens a proxy on a free port of the loopback address.
 * @example await using proxy = await createFaultProxy({ target: 'amqp://localhost:5672' })
 * @throws {ConfigError} for a target without host and port
 */
export async function createFaultProxy({ target, maxBytes = 1_048_576 }: FaultProxyOptions): Promise<FaultProxy> {
  const proxy = new TcpFaultProxy(addressOf(target), target, maxBytes)
  await proxy.listen()
  return proxy
}

interface Address {
  readonly host: string
  readonly port: number
}

class TcpFaultProxy implements FaultProxy {
  readonly #address: Address
  readonly #target: string
  readonly #maxBytes: number
  readonly #server: Server
  readonly #open = new Map<ProxiedConnection, readonly [Socket, Socket]>()
  #fault: ConnectionFault = CONNECTION_UNHARMED
  #refusing = false
  readonly #refusedAtMs: number[] = []

  constructor(address: Address, target: string, maxBytes: number) {
    this.#address = address
    this.#target = target
    this.#maxBytes = maxBytes
    // half-closed connections stay half-closed on the other side
    this.#server = createServer({ allowHalfOpen: true }, (client) => this.#accept(client))
    // whether the process goes on is for client and server to say
    this.#server.unref()
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port
  }

  get url(): string {
    if (!isUrl(this.#target)) return `127.0.0.1:${this.port}`
    const url = new URL(this.#target)
    url.hostname = '127.0.0.1'
    url.port = String(this.port)
    return url.toString()
  }

  get refusedAtMs(): readonly number[] {
    return [...this.#refusedAtMs]
  }

  get connections(): readonly ProxiedConnection[] {
    return [...this.#open.keys()]
  }

  listen(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#server.once('error', reject)
      this.#server.listen(0, '127.0.0.1', resolve)
    })
  }

  latency(delayMs: number): void {
    this.#set(withLatency(this.#fault, delayMs))
  }

  chop(chop?: Partial<Chop>): void {
    this.#set(withChop(this.#fault, chop))
  }

  blackhole(): void {
    this.#set(withSilence(this.#fault, 'toTarget', 'toClient'))
  }

  halfOpen(silent: Direction): void {
    this.#set(withSilence(this.#fault, silent))
  }

  refuse(): void {
    this.#refusing = true
  }

  heal(): void {
    this.#refusing = false
    this.#set(CONNECTION_UNHARMED)
  }

  cut(): void {
    for (const connection of this.connections) connection.cut()
  }

  reset(): void {
    for (const connection of this.connections) connection.reset()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()))
    this.#refusing = true
    for (const sockets of this.#open.values()) for (const socket of sockets) socket.destroy()
    await closed
  }

  #set(fault: ConnectionFault): void {
    this.#fault = fault
    for (const connection of this.connections) connection.fault = fault
  }

  #accept(client: Socket): void {
    if (this.#refusing) {
      this.#refusedAtMs.push(performance.now())
      if (this.#refusedAtMs.length > 10_000) this.#refusedAtMs.shift()
      client.on('error', () => {})
      client.resetAndDestroy()
      return
    }
    const target = connect({ ...this.#address, allowHalfOpen: true })
    for (const socket of [client, target]) socket.unref()
    const connection = new ProxiedConnection(client, target, this.#maxBytes, this.#fault)
    this.#open.set(connection, [client, target])
    const onClose = () => {
      if (client.closed && target.closed) this.#open.delete(connection)
    }
    client.on('close', onClose)
    target.on('close', onClose)
  }
}

function isUrl(target: string): boolean {
  return target.includes('://')
}

function addressOf(target: string): Address {
  const text = isUrl(target) ? target : `tcp://${target}`
  const url = URL.canParse(text) ? new URL(text) : undefined
  if (url === undefined || url.hostname === '' || url.port === '') {
    // the target may hold a password
    throw new ConfigError('target of the fault proxy has no host and port: give a URL with both, or host:port')
  }
  return { host: url.hostname.replace(/^\[(.*)\]$/, '$1'), port: Number(url.port) }
}

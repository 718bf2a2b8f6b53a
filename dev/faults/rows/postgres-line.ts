import { once } from 'node:events'
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net'

/** Told of all that a client sends, before it is passed on. */
export type OnSent = (connection: LineConnection, bytes: Buffer) => void

/** One client's connection through a line. */
export class LineConnection {
  readonly #client: Socket
  readonly #server: Socket
  #state: 'open' | 'silent' | 'deaf' = 'open'

  constructor(client: Socket, server: Socket, onSent: OnSent) {
    this.#client = client
    this.#server = server
    for (const socket of [client, server]) {
      socket.setNoDelay(true)
      socket.on('error', () => {})
    }
    client.on('data', (bytes) => {
      onSent(this, bytes)
      if (this.#state !== 'silent' && !server.destroyed) server.write(bytes)
    })
    server.on('data', (bytes) => {
      if (this.#state === 'deaf') client.resetAndDestroy()
      else if (this.#state === 'open') client.write(bytes)
    })
    client.on('end', () => this.#state !== 'silent' && server.end())
    server.on('end', () => this.#state !== 'silent' && client.end())
    // what a client sent last reaches a server whose answers are lost: only then is the line closed
    client.on('close', () => (this.#state === 'deaf' ? server.end() : this.#state === 'open' && server.destroy()))
    server.on('close', () => this.#state !== 'silent' && client.destroy())
  }

  /** Nothing passes any more, in either direction, and neither side is told. */
  silence(): void {
    this.#state = 'silent'
  }

  /** What the server answers from now on is lost, and the client's side breaks with it. */
  loseAnswers(): void {
    this.#state = 'deaf'
  }

  /** Breaks both sides at once. */
  reset(): void {
    this.#client.resetAndDestroy()
    this.#server.destroy()
  }
}

/** A line to PostgreSQL that sees what clients send, and can break one connection and leave all others alone. */
export class PostgresLine implements AsyncDisposable {
  readonly #listener: Server
  readonly #connections = new Set<LineConnection>()
  readonly #url: URL

  private constructor(url: string, onSent: OnSent) {
    this.#url = new URL(url)
    const { hostname, port } = this.#url
    // a silent connection does not even end
    this.#listener = createServer({ allowHalfOpen: true }, (client) => {
      const server = connect({ host: hostname, port: Number(port || 5432), allowHalfOpen: true })
      const connection = new LineConnection(client, server, onSent)
      this.#connections.add(connection)
      client.once('close', () => this.#connections.delete(connection))
    })
  }

  static async open(url: string, onSent: OnSent): Promise<PostgresLine> {
    const line = new PostgresLine(url, onSent)
    line.#listener.listen(0, '127.0.0.1')
    await once(line.#listener, 'listening')
    return line
  }

  /** What clients of the line are given. */
  get url(): string {
    const url = new URL(this.#url)
    url.hostname = '127.0.0.1'
    url.port = String((this.#listener.address() as AddressInfo).port)
    return url.href
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#listener.close()
    for (const connection of this.#connections) connection.reset()
    await once(this.#listener, 'close')
  }
}

import { connect, createServer, type Server, type Socket } from 'node:net'

/** How the line is cut: connections reset and refused, or (`silent`) open but dead, as behind a lost network. */
export interface CutOff {
  readonly silent?: boolean
}

/** A line to a server on loopback that can be cut without touching the server. */
export class Proxy {
  readonly port: number
  readonly #target: number
  readonly #pairs = new Set<readonly [Socket, Socket]>()
  #listener: Server | undefined
  #silent = false

  constructor(port: number, target: number) {
    this.port = port
    this.#target = target
  }

  async open(): Promise<void> {
    const listener = createServer((client) => this.#join(client))
    this.#listener = listener
    await new Promise<void>((resolve, reject) => {
      listener.once('error', reject)
      listener.listen(this.port, '127.0.0.1', resolve)
    })
    listener.unref()
  }

  async cutOff({ silent = false }: CutOff = {}): Promise<void> {
    this.#silent = silent
    if (silent) for (const pair of this.#pairs) this.#hold(pair)
    else await this.close()
  }

  async reconnect(): Promise<void> {
    if (this.#silent) this.#reset()
    this.#silent = false
    if (this.#listener === undefined) await this.open()
  }

  async close(): Promise<void> {
    const listener = this.#listener
    this.#listener = undefined
    const closed = new Promise<void>((resolve) => (listener ? listener.close(() => resolve()) : resolve()))
    this.#reset()
    await closed
  }

  #join(client: Socket): void {
    const server = connect(this.#target, '127.0.0.1')
    const pair = [client, server] as const
    this.#pairs.add(pair)
    for (const [socket, other] of [pair, [server, client] as const]) {
      socket.setNoDelay(true)
      socket.unref()
      socket.on('error', () => other.destroy())
      socket.on('close', () => {
        this.#pairs.delete(pair)
        other.destroy()
      })
    }
    client.pipe(server).pipe(client)
    if (this.#silent) this.#hold(pair)
  }

  #hold([client, server]: readonly [Socket, Socket]): void {
    client.unpipe(server).pause()
    server.unpipe(client).pause()
  }

  #reset(): void {
    for (const [client, server] of this.#pairs) {
      client.resetAndDestroy()
      server.destroy()
    }
    this.#pairs.clear()
  }
}

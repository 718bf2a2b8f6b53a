import { connect, createServer, type Server, type Socket } from 'node:net'

/** How the line is cut: connections reset and refused, or (`silent`) open but dead, as behind a lost network. */
export interface CutOff {
  readonly silent?: boolean
}

/** A line to a server on loopback that can be cut without touching the server; a server that is down refuses by itself. */
export class Proxy {
  readonly #port: number
  readonly #target: number
  readonly #pairs = new Set<readonly [Socket, Socket]>()
  #listener: Server | undefined
  #serverUp = false
  #cut: 'no' | 'refused' | 'silent' = 'no'

  constructor(port: number, target: number) {
    this.#port = port
    this.#target = target
  }

  get cut(): boolean {
    return this.#cut !== 'no'
  }

  /** Tells whether the server listens: nobody may find an open port in front of a dead server. */
  async serverIs(state: 'up' | 'down'): Promise<void> {
    this.#serverUp = state === 'up'
    await this.#settle()
  }

  async cutOff({ silent = false }: CutOff = {}): Promise<void> {
    this.#cut = silent ? 'silent' : 'refused'
    if (silent) for (const pair of this.#pairs) this.#hold(pair)
    await this.#settle()
  }

  async reconnect(): Promise<void> {
    if (this.#cut === 'silent') this.#reset()
    this.#cut = 'no'
    await this.#settle()
  }

  async #settle(): Promise<void> {
    const open = this.#serverUp && this.#cut !== 'refused'
    if (open && this.#listener === undefined) await this.#listen()
    if (!open) await this.#close()
  }

  async #listen(): Promise<void> {
    const listener = createServer((client) => this.#join(client))
    this.#listener = listener
    await new Promise<void>((resolve, reject) => {
      listener.once('error', reject)
      listener.listen(this.#port, '127.0.0.1', resolve)
    })
    listener.unref()
  }

  async #close(): Promise<void> {
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
    if (this.#cut === 'silent') this.#hold(pair)
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

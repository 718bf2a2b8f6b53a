import { connect, createServer } from 'node:net'
import type { AddressInfo, Socket } from 'node:net'

/** For tests: a broker's address whose connections can be cut, frozen and refused. */
export interface TcpProxy extends AsyncDisposable {
  /** The url given, by way of the proxy. */
  readonly url: string
  /** Breaks all connections at once. */
  cut(): void
  /** Nothing passes any more, and nobody is told. */
  freeze(): void
  /** What is frozen passes again. */
  thaw(): void
  /** New connections are closed as they come. */
  refuse(refused: boolean): void
}

export async function tcpProxy(target: string): Promise<TcpProxy> {
  const to = new URL(target)
  const sockets = new Set<Socket>()
  let frozen = false
  let refused = false
  const server = createServer((near) => {
    if (refused) {
      near.destroy()
      return
    }
    const far = connect({ host: to.hostname, port: Number(to.port) })
    for (const [one, other] of [
      [near, far],
      [far, near],
    ] as const) {
      sockets.add(one)
      one.setNoDelay(true)
      one.on('data', (chunk) => void other.write(chunk))
      one.on('error', () => {})
      one.on('close', () => {
        sockets.delete(one)
        other.destroy()
      })
      if (frozen) one.pause()
    }
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const url = new URL(target)
  url.port = String((server.address() as AddressInfo).port)
  const cut = () => {
    for (const socket of sockets) socket.destroy()
  }
  return {
    url: url.toString(),
    cut,
    freeze() {
      frozen = true
      for (const socket of sockets) socket.pause()
    },
    thaw() {
      frozen = false
      for (const socket of sockets) socket.resume()
    },
    refuse(value) {
      refused = value
    },
    async [Symbol.asyncDispose]() {
      cut()
      await new Promise<void>((resolve) => server.close(() => resolve()))
    },
  }
}

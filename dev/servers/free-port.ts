import { createServer } from 'node:net'

/** Below the range the system hands out for outgoing connections: nobody takes the port while its server is down. */
const FIRST = 10_000
const LAST = 32_000

/** A loopback port on which nobody listens. */
export async function freePort(): Promise<number> {
  for (let attempt = 0; attempt < 100; attempt++) {
    const port = FIRST + Math.floor(Math.random() * (LAST - FIRST))
    if (await canListen(port)) return port
  }
  throw new Error(`no free loopback port found between ${FIRST} and ${LAST}`)
}

function canListen(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = createServer()
    probe.once('error', () => resolve(false))
    probe.listen({ port, host: '127.0.0.1', exclusive: true }, () => probe.close(() => resolve(true)))
  })
}

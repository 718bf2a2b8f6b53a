import { once } from 'node:events'
import { connect, createServer, type AddressInfo, type Socket } from 'node:net'
import { expect, test } from 'vitest'
import { Listener } from './listen.ts'

test('stop does not wait for a connection that went silent', async () => {
  const { hostname, port } = new URL(process.env.DATABASE_URL!)
  const sockets: Socket[] = []
  // passes on until it is silent, and then does not even end
  let silent = false
  const line = createServer({ allowHalfOpen: true }, (client) => {
    const server = connect({ host: hostname, port: Number(port), allowHalfOpen: true })
    sockets.push(client, server)
    client.on('data', (bytes) => silent || server.write(bytes))
    server.on('data', (bytes) => silent || client.write(bytes))
    for (const socket of [client, server]) socket.on('error', () => {})
  })
  line.listen(0, '127.0.0.1')
  await once(line, 'listening')
  const url = new URL(process.env.DATABASE_URL!)
  url.hostname = '127.0.0.1'
  url.port = String((line.address() as AddressInfo).port)
  const listener = new Listener(url.href, 'listen test', () => {})
  await expect.poll(() => listener.reason).toBeUndefined()
  silent = true
  await listener.stop()
  for (const socket of sockets) socket.destroy()
  line.close()
}, 10_000)

import { once } from 'node:events'
import { createServer, type AddressInfo, type Socket } from 'node:net'
import pg from 'pg'
import { expect, test } from 'vitest'
import { createOutbox } from './outbox/outbox.ts'
import { protocolMessage } from './test-protocol.ts'

test('a session that ends in the moment in which it is handed out fails its transaction, not the process', async () => {
  const authenticated = protocolMessage('R', Buffer.alloc(4))
  const ready = protocolMessage('Z', Buffer.from('I'))
  const ended = protocolMessage('E', Buffer.from('SFATAL\0C57P01\0Mterminating connection\0\0'))
  const server = createServer((socket: Socket) => {
    socket.on('error', () => {})
    // all at once: pg hands the connection out and reads of its end before anybody could listen
    socket.once('data', () => socket.end(Buffer.concat([authenticated, ready, ended])))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const pool = new pg.Pool({ host: '127.0.0.1', port, user: 'nobody', database: 'none' })
  const outbox = createOutbox({ db: pool, source: '/orders', transport: 'one' })
  await expect(outbox.transaction(() => Promise.resolve())).rejects.toThrow(/not queryable|terminat/)
  await pool.end()
  server.close()
})

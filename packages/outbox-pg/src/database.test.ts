import { once } from 'node:events'
import { createServer, type AddressInfo, type Socket } from 'node:net'
import pg from 'pg'
import { expect, test } from 'vitest'
import { textRows } from './database.ts'

test('a server that takes connections and never answers ends the wait of a statement', async () => {
  const sockets: Socket[] = []
  const server = createServer((socket) => sockets.push(socket))
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  // a pool without a time-out of its own waits for ever
  const pool = new pg.Pool({ host: '127.0.0.1', port, user: 'nobody', database: 'none' })
  const asked = textRows(pool, 'SELECT 1', [], 50)
  await expect(asked).rejects.toMatchObject({
    code: 'TIMEOUT',
    message: expect.stringMatching(/no answer within 50 ms/) as string,
  })
  for (const socket of sockets) socket.destroy()
  server.close()
  await pool.end()
})

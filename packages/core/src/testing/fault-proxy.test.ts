import { once } from 'node:events'
import { connect, createServer, type AddressInfo, type Socket } from 'node:net'
import { describe, expect, it } from 'vitest'
import { createFaultProxy } from './fault-proxy.ts'

/** A server that sends back what it gets, and remembers its sockets. */
async function echo() {
  const sockets: Socket[] = []
  const ended: string[] = []
  const server = createServer((socket) => {
    sockets.push(socket)
    socket.on('error', (error: NodeJS.ErrnoException) => ended.push(error.code ?? ''))
    socket.on('end', () => ended.push('FIN'))
    socket.pipe(socket)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    sockets,
    ended,
    target: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

async function client(port: number) {
  const socket = connect({ port, host: '127.0.0.1' })
  let text = ''
  let ending = ''
  socket.on('data', (bytes) => (text += bytes.toString()))
  socket.on('end', () => (ending = 'FIN'))
  socket.on('error', (error: NodeJS.ErrnoException) => (ending = error.code ?? ''))
  await once(socket, 'connect')
  return {
    socket,
    text: () => text,
    ending: () => ending,
    [Symbol.dispose]: () => void socket.destroy(),
  }
}

describe('fault proxy', () => {
  it('passes everything while nothing is wrong, and the end of a connection as well', async () => {
    await using server = await echo()
    await using proxy = await createFaultProxy({ target: server.target })
    using one = await client(proxy.port)
    one.socket.end('x'.repeat(3_000_000))
    await expect.poll(() => one.text().length).toBe(3_000_000)
    await expect.poll(() => one.ending()).toBe('FIN')
    await expect.poll(() => proxy.connections.length).toBe(0)
  })

  it('cuts with FIN and resets with RST, on both sides, one connection or all', async () => {
    await using server = await echo()
    await using proxy = await createFaultProxy({ target: server.target })
    using one = await client(proxy.port)
    using two = await client(proxy.port)
    await expect.poll(() => server.sockets.length).toBe(2)
    proxy.connections[0]!.cut()
    await expect.poll(() => one.ending()).toBe('FIN')
    await expect.poll(() => server.ended).toEqual(['FIN'])
    two.socket.write('still here')
    await expect.poll(() => two.text()).toBe('still here')
    proxy.reset()
    await expect.poll(() => two.ending()).toBe('ECONNRESET')
    await expect.poll(() => server.ended).toEqual(['FIN', 'ECONNRESET'])
  })

  it('swallows bytes, ends and resets in a blackhole, and gives them out when it heals', async () => {
    await using server = await echo()
    await using proxy = await createFaultProxy({ target: server.target })
    using one = await client(proxy.port)
    await expect.poll(() => server.sockets.length).toBe(1)
    proxy.blackhole()
    using two = await client(proxy.port)
    one.socket.write('hello')
    two.socket.write('hello too')
    await expect.poll(() => proxy.connections.map(({ queuedBytes }) => queuedBytes)).toEqual([5, 9])
    server.sockets[0]!.resetAndDestroy()
    await once(server.sockets[0]!, 'close')
    expect([one.text(), one.ending(), two.text()]).toEqual(['', '', ''])
    proxy.heal()
    await expect.poll(() => one.ending()).toBe('ECONNRESET')
    await expect.poll(() => two.text()).toBe('hello too')
  })

  it('is half-open: what goes to the target passes, what comes back does not', async () => {
    await using server = await echo()
    await using proxy = await createFaultProxy({ target: server.target })
    using one = await client(proxy.port)
    proxy.halfOpen('toClient')
    one.socket.write('hello')
    await expect.poll(() => server.sockets[0]?.bytesRead).toBe(5)
    await expect.poll(() => proxy.connections[0]!.queuedBytes).toBe(5)
    expect(one.text()).toBe('')
    proxy.heal()
    await expect.poll(() => one.text()).toBe('hello')
  })

  it('delays each byte by the latency, without making the line narrower', async () => {
    await using server = await echo()
    await using proxy = await createFaultProxy({ target: server.target })
    using one = await client(proxy.port)
    proxy.latency(100)
    const startMs = performance.now()
    for (let sent = 0; sent < 20; sent += 1) {
      one.socket.write('0123456789')
      await new Promise((resolve) => setImmediate(resolve))
    }
    await expect.poll(() => one.text().length).toBe(200)
    const tookMs = performance.now() - startMs
    expect(tookMs).toBeGreaterThan(195)
    expect(tookMs).toBeLessThan(1_500)
  })

  it('chops what passes into small pieces', async () => {
    await using server = await echo()
    await using proxy = await createFaultProxy({ target: server.target })
    using one = await client(proxy.port)
    const pieces: number[] = []
    one.socket.on('data', (bytes) => pieces.push(bytes.length))
    await expect.poll(() => server.sockets.length).toBe(1)
    proxy.chop({ bytes: 2, everyMs: 20 })
    one.socket.write('0123456789')
    await expect.poll(() => one.text()).toBe('0123456789')
    expect(pieces.length).toBeGreaterThan(1)
    expect(Math.max(...pieces)).toBeLessThan(10)
  })

  it('holds no more than its bound: who sends too much has to wait', async () => {
    await using server = await echo()
    await using proxy = await createFaultProxy({ target: server.target, maxBytes: 100_000 })
    using one = await client(proxy.port)
    proxy.blackhole()
    const sent = 30_000_000
    one.socket.write(Buffer.alloc(sent, 'x'))
    await expect.poll(() => proxy.connections[0]!.queuedBytes).toBeGreaterThanOrEqual(100_000)
    expect(proxy.connections[0]!.queuedBytes).toBeLessThan(100_000 + 65_537)
    expect(one.socket.writableLength).toBeGreaterThan(0)
    proxy.heal()
    await expect.poll(() => one.text().length, { timeout: 10_000 }).toBe(sent)
  })

  it('refuses new connections until it heals, and gives the url in the form of its target', async () => {
    await using server = await echo()
    await using proxy = await createFaultProxy({ target: `amqp://guest:p%40ss@${server.target}/shop` })
    expect(proxy.url).toBe(`amqp://guest:p%40ss@127.0.0.1:${proxy.port}/shop`)
    proxy.refuse()
    const refused = connect({ port: proxy.port, host: '127.0.0.1' })
    const [error] = (await once(refused, 'error')) as [NodeJS.ErrnoException]
    expect(error.code).toBe('ECONNRESET')
    expect(proxy.refusedAtMs).toHaveLength(1)
    proxy.heal()
    using one = await client(proxy.port)
    one.socket.write('hello')
    await expect.poll(() => one.text()).toBe('hello')
  })

  it('names what is wrong with a target without telling it', async () => {
    const failure = createFaultProxy({ target: 'amqp://guest:secret@localhost' })
    await expect(failure).rejects.toMatchObject({ code: 'CONFIG', message: expect.not.stringContaining('secret') })
    await using server = await echo()
    await using proxy = await createFaultProxy({ target: server.target })
    expect(() => proxy.latency(-1)).toThrow('latency')
    expect(() => proxy.chop({ bytes: 0 })).toThrow('chop')
  })
})

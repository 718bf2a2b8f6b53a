import { serve } from '@hono/node-server'
import { once } from 'node:events'
import type { Server } from 'node:http'
import { createApp } from './app.ts'
import type { WebServices } from './services.ts'

const CLOSE_WITHIN_MS = 1_000

/** Listens on an address that was found free; disposing lets running answers end for a second. */
export async function startServer(services: WebServices, host: string, port: number): Promise<AsyncDisposable> {
  const app = createApp(services)
  const server = serve({ fetch: app.fetch, hostname: host, port }) as Server
  await once(server, 'listening')
  return {
    async [Symbol.asyncDispose]() {
      const closed = once(server, 'close')
      server.close()
      server.closeIdleConnections()
      const late = setTimeout(() => server.closeAllConnections(), CLOSE_WITHIN_MS)
      await closed
      clearTimeout(late)
    },
  }
}

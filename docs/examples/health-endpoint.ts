import { createServer, type Server } from 'node:http'
import type { Bus } from '@waybill/core'

export function healthEndpoint(bus: Bus): Server {
  return createServer((_request, response) => {
    void bus.health().then((parts) => {
      const status = parts.every(({ state }) => state === 'up') ? 200 : 503
      response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(parts))
    })
  })
}

import { ConfigError } from '@waybill/core'
import { createServer } from 'node:net'
import type { PortChoice } from '../config.ts'

/** How far a default port may move. */
const NEXT_PORTS = 100

/**
 * The port to listen on: the one that was asked for, or the first free one from the default on.
 * @throws {ConfigError} the port that was asked for can't be had; names its variable
 */
export async function choosePort(host: string, { variable, port, given }: PortChoice): Promise<number> {
  if (given) {
    const fault = await tryPort(host, port)
    if (fault.error === undefined) return fault.port
    const why = fault.error === 'EADDRINUSE' ? 'is taken' : `can't be had on ${host} (${fault.error})`
    throw new ConfigError(`${variable} is ${port}: that port ${why}, give another one or none`)
  }
  for (let next = port; next < port + NEXT_PORTS; next += 1) {
    const { error } = await tryPort(host, next)
    if (error === undefined) return next
    if (error !== 'EADDRINUSE' && error !== 'EACCES') {
      throw new ConfigError(`HOST is ${host}: can't listen there (${error})`)
    }
  }
  throw new ConfigError(`no port from ${port} to ${port + NEXT_PORTS - 1} is free on ${host}: set ${variable}`)
}

/** Any free port on the loopback address. */
export async function freePort(): Promise<number> {
  return (await tryPort('127.0.0.1', 0)).port
}

function tryPort(host: string, port: number): Promise<{ port: number; error?: string }> {
  return new Promise((resolve) => {
    const server = createServer()
    server.once('error', (error: NodeJS.ErrnoException) => resolve({ port, error: error.code ?? error.message }))
    server.listen({ host, port, exclusive: true }, () => {
      const address = server.address()
      const free = typeof address === 'object' && address !== null ? address.port : port
      server.close(() => resolve({ port: free }))
    })
  })
}

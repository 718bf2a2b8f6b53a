import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createServer } from 'node:tls'
import type { AddressInfo } from 'node:net'
import { inspect } from 'node:util'
import type { Logger, SubscribeOptions, Transport } from '@waybill/core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { startRabbitMq, type RabbitMq } from '../../../dev/servers/index.ts'
import { amqp } from './index.ts'

const PASSWORD = 'p@ss:w/rd%#1'
const KEY = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes']
const folder = mkdtempSync(join(tmpdir(), 'waybill-tls-'))
const file = (name: string) => join(folder, name)
const pem = (name: string) => readFileSync(file(name))
const openssl = (...words: string[]) => execFileSync('openssl', words, { cwd: folder, stdio: 'pipe' })
let server: RabbitMq

function authority(name: string): void {
  const subject = ['-subj', `/CN=${name}`, '-days', '1', '-keyout', `${name}.key`, '-out', `${name}.pem`]
  openssl('req', '-x509', ...KEY, ...subject)
}

function certificate(name: string, ca: string, altName: string, days = '1'): void {
  openssl('req', ...KEY, '-subj', `/CN=${name}`, '-keyout', `${name}.key`, '-out', 'request')
  writeFileSync(file('extension'), `subjectAltName=${altName}\n`)
  const signer = ['-CA', `${ca}.pem`, '-CAkey', `${ca}.key`, '-CAcreateserial', '-extfile', 'extension']
  openssl('x509', '-req', '-in', 'request', ...signer, '-days', days, '-out', `${name}.pem`)
}

beforeAll(async () => {
  authority('ca')
  authority('other')
  certificate('server', 'ca', 'IP:127.0.0.1,DNS:localhost')
  certificate('client', 'ca', 'DNS:client')
  certificate('stranger', 'other', 'DNS:client')
  certificate('expired', 'ca', 'IP:127.0.0.1', '-1')
  certificate('elsewhere', 'ca', 'DNS:elsewhere.test')
  server = await startRabbitMq({ direct: true, tlsFolder: folder })
  for (const user of ['client', 'teller']) {
    await server.control('add_user', user, PASSWORD)
    await server.control('set_permissions', user, '.*', '.*', '.*')
  }
}, 120_000)

afterAll(async () => {
  await server[Symbol.asyncDispose]()
  rmSync(folder, { recursive: true })
})

const logLines: string[] = []
const log = (fields: object, text?: string) => void logLines.push(inspect(fields, { depth: 9 }), text ?? '')
const logger: Logger = { debug: log, info: log, warn: log, error: log }

/** Connects by subscribing, since that says at once what is wrong. */
function use(transport: Transport): Promise<unknown> {
  const bounds = { maxOpen: 1, maxOpenBytes: 1e6 }
  const options = { service: 'tls-test', sources: [], mode: 'compete', ackBefore: false, start: 'earliest' } as const
  return transport.subscribe({ ...options, ...bounds } satisfies SubscribeOptions, () =>
    Promise.resolve({ outcome: 'ack' }),
  )
}

/** A peer that shows a certificate and nothing more. */
async function peer(name: string) {
  const listening = createServer({ cert: pem(`${name}.pem`), key: pem(`${name}.key`) }, (socket) => socket.destroy())
  listening.on('tlsClientError', () => {})
  await new Promise<void>((resolve) => listening.listen(0, '127.0.0.1', resolve))
  const { port } = listening.address() as AddressInfo
  return { port, [Symbol.asyncDispose]: () => new Promise<void>((resolve) => void listening.close(() => resolve())) }
}

const secretUrl = (port: number) => `amqps://teller:${encodeURIComponent(PASSWORD)}@127.0.0.1:${port}`

describe('amqps', () => {
  it('works with a password, by IP address, and with a certificate in place of a user', async () => {
    await using byPassword = amqp({ url: secretUrl(server.tlsPort), tls: { ca: pem('ca.pem') }, logger })
    await use(byPassword)
    const tls = { ca: pem('ca.pem'), cert: pem('client.pem'), key: pem('client.key') }
    await using byCertificate = amqp({ url: `amqps://127.0.0.1:${server.tlsPort}`, tls, connectionName: 'mutual' })
    await use(byCertificate)
    const users = await server.control('list_connections', 'user', 'auth_mechanism', 'ssl')
    expect(users).toMatch(/client\s+EXTERNAL\s+true/)
    expect(users).toMatch(/teller\s+PLAIN\s+true/)
  })

  it('refuses a broker of another CA, naming tls.ca', async () => {
    await using transport = amqp({ url: secretUrl(server.tlsPort), tls: { ca: pem('other.pem') }, logger })
    await refused(transport, /tls\.ca/)
  })

  it.each([
    ['expired', /expired/],
    ['elsewhere', /tls\.servername/],
  ])('refuses a broker whose certificate is %s', async (name, says) => {
    await using shown = await peer(name)
    await using transport = amqp({ url: secretUrl(shown.port), tls: { ca: pem('ca.pem') }, logger })
    await refused(transport, says)
  })

  it('says that the broker refuses a certificate of ours', async () => {
    const tls = { ca: pem('ca.pem'), cert: pem('stranger.pem'), key: pem('stranger.key') }
    await using transport = amqp({ url: `amqps://127.0.0.1:${server.tlsPort}`, tls, logger })
    await refused(transport, /tls\.cert/)
  })
})

async function refused(transport: Transport, says: RegExp): Promise<void> {
  const error: unknown = await use(transport).catch((reason: unknown) => reason)
  expect(error).toMatchObject({ code: 'CONFIG', message: expect.stringMatching(says) as string })
  const health = await transport.health({ timeoutMs: 1_000 })
  const told = [error, transport, health].flatMap((what) => [inspect(what, { depth: 12 }), JSON.stringify(what)])
  const all = [...told, ...logLines].join('\n')
  for (const secret of [PASSWORD, encodeURIComponent(PASSWORD), 'PRIVATE KEY']) expect(all).not.toContain(secret)
}

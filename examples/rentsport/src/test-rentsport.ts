import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmod, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { Client } from 'pg'
import { newDatabase } from './database/test-database.ts'

/** Those with a process of their own. */
export type Room = 'backend' | 'gateway' | 'notifications' | 'reports'

export interface HealthAnswer {
  readonly status: string
  readonly parts: readonly { readonly part: string; readonly state: string; readonly reason?: string }[]
  readonly pids: Readonly<Record<'main' | Room, number | null>>
}

const READY_WITHIN_MS = 60_000
const LOOK_EVERY_MS = 50

/** RentSport as `npm start` runs it, in a database of its own; for tests alone. */
export async function runRentSport(environment: Readonly<Record<string, string>> = {}) {
  const database = await newDatabase()
  const dataDir = await mkdtemp(join(tmpdir(), 'rentsport-'))
  // Its user postgres must get there where the tests run as root.
  await chmod(dataDir, 0o755)
  const { AMQP_URL: _amqp, KAFKA_BROKERS: _kafka, SMTP_URL: _smtp, ...inherited } = process.env
  const child = spawn(process.execPath, [fileURLToPath(new URL('./main.ts', import.meta.url))], {
    env: {
      ...inherited,
      HOST: '127.0.0.1',
      PORT: '0',
      GRPC_PORT: '0',
      DATABASE_URL: database.url,
      DATA_DIR: dataDir,
      ...environment,
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const exited = once(child, 'exit') as Promise<[code: number | null, signal: NodeJS.Signals | null]>
  let said = ''
  child.stderr.on('data', (chunk: Buffer) => (said = (said + chunk.toString()).slice(-20_000)))
  let url = ''
  for await (const line of linesOf(child.stdout, exited)) {
    const ready = /^RentSport is ready: (http:\/\/\S+)$/.exec(line)
    if (ready) {
      url = ready[1]!
      break
    }
  }
  if (url === '') {
    child.kill('SIGKILL')
    await database[Symbol.asyncDispose]()
    throw new Error(`RentSport did not get ready:\n${said}`)
  }
  const client = new Client({ connectionString: database.url })
  client.on('error', () => undefined)
  await client.connect()
  const get = async <T>(path: string): Promise<T> => (await (await fetch(`${url}${path}`)).json()) as T
  return {
    url,
    child,
    exited,
    dataDir,
    databaseUrl: database.url,
    said: () => said,
    get,
    post: (path: string, body?: unknown) =>
      fetch(`${url}${path}`, {
        method: 'POST',
        ...(body !== undefined && { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } }),
      }),
    health: () => get<HealthAnswer>('/health'),
    rows: async <T>(text: string, values: unknown[] = []): Promise<T[]> =>
      (await client.query(text, values)).rows as T[],
    async [Symbol.asyncDispose]() {
      if (child.exitCode === null && child.signalCode === null) {
        child.kill('SIGTERM')
        await exited
      }
      await client.end()
      await database[Symbol.asyncDispose]()
      await rm(dataDir, { recursive: true, force: true })
    },
  }
}

export type RunningRentSport = Awaited<ReturnType<typeof runRentSport>>

async function* linesOf(stream: NodeJS.ReadableStream, exited: Promise<unknown>): AsyncGenerator<string> {
  const lines = createInterface({ input: stream })
  const close = () => lines.close()
  void exited.then(close)
  const late = setTimeout(close, READY_WITHIN_MS)
  try {
    yield* lines
  } finally {
    clearTimeout(late)
    // What comes later is read as well, or the pipe would fill.
    stream.resume()
  }
}

/** What `look` gives once it is something; fails with what it gave last when time is up. */
export async function eventually<T>(
  what: string,
  look: () => Promise<T | undefined | false>,
  withinMs = 30_000,
): Promise<T> {
  const deadlineMs = Date.now() + withinMs
  for (;;) {
    const found = await look()
    if (found !== undefined && found !== false) return found
    if (Date.now() > deadlineMs) throw new Error(`${what}: not within ${withinMs} ms`)
    await delay(LOOK_EVERY_MS)
  }
}

export interface ServerEvent {
  readonly id: number
  readonly atMs: number
  readonly status: string
  readonly message: string
}

/** Server-sent events of a payment until the stream ends. */
export async function* paymentEvents(url: string, paymentId: string, lastId?: number): AsyncGenerator<ServerEvent> {
  const headers: Record<string, string> = lastId === undefined ? {} : { 'last-event-id': String(lastId) }
  const answer = await fetch(`${url}/api/payments/${paymentId}/events`, { headers })
  if (answer.status === 204) return
  if (!answer.ok || answer.body === null) throw new Error(`events answered ${answer.status}`)
  let text = ''
  for await (const chunk of answer.body.pipeThrough(new TextDecoderStream())) {
    text += chunk
    for (let end = text.indexOf('\n\n'); end >= 0; end = text.indexOf('\n\n')) {
      const fields = new Map(
        text
          .slice(0, end)
          .split('\n')
          .map((line) => [line.slice(0, line.indexOf(':')), line.slice(line.indexOf(':') + 1).trim()]),
      )
      text = text.slice(end + 2)
      const data = fields.get('data')
      if (data === undefined) continue
      const { status, message } = JSON.parse(data) as { status: string; message: string }
      yield { id: Number(fields.get('id')), atMs: Date.now(), status, message }
    }
  }
}

import pg from 'pg'
import { quoteName } from './schema-name.ts'

const HEARTBEAT_MS = 10_000
const ANSWER_MS = 5_000
const LONGEST_WAIT_MS = 10_000
const END_MS = 1_000

/** Hears NOTIFY on a connection of its own, which it keeps up. After each connect it calls once: a hint may have been lost. */
export class Listener {
  readonly #connectionString: string
  readonly #channel: string
  readonly #onNotify: () => void
  #client: pg.Client | undefined
  #timer: NodeJS.Timeout | undefined
  #failures = 0
  #stopped = false
  #reason: string | undefined = 'connecting'

  constructor(connectionString: string, channel: string, onNotify: () => void) {
    this.#connectionString = connectionString
    this.#channel = channel
    this.#onNotify = onNotify
    void this.#connect()
  }

  /** Why it does not hear just now. Readers then find rows by polling. */
  get reason(): string | undefined {
    return this.#reason
  }

  async #connect(): Promise<void> {
    const client = new pg.Client({
      connectionString: this.#connectionString,
      application_name: 'waybill listener',
      connectionTimeoutMillis: ANSWER_MS,
      keepAlive: true,
    })
    this.#client = client
    // a killed connection says so twice, and ends as well
    client.on('error', (error: Error) => this.#lost(client, error))
    client.on('end', () => this.#lost(client, new Error('connection ended')))
    client.on('notification', () => this.#onNotify())
    try {
      await client.connect()
      await client.query(`LISTEN ${quoteName(this.#channel)}`)
      if (this.#client !== client) return
      this.#failures = 0
      this.#reason = undefined
      this.#onNotify()
      this.#heartbeat(client)
    } catch (error) {
      this.#lost(client, error as Error)
    }
  }

  #heartbeat(client: pg.Client): void {
    this.#timer = setTimeout(() => {
      // a failover may leave a socket that is silent for ever
      const late = setTimeout(() => this.#lost(client, new Error('no answer')), ANSWER_MS)
      client.query('SELECT 1').then(
        () => {
          clearTimeout(late)
          if (this.#client === client) this.#heartbeat(client)
        },
        (error: Error) => {
          clearTimeout(late)
          this.#lost(client, error)
        },
      )
    }, HEARTBEAT_MS)
  }

  #lost(client: pg.Client, error: Error): void {
    if (this.#client !== client) return
    this.#client = undefined
    clearTimeout(this.#timer)
    void endOf(client)
    if (this.#stopped) return
    this.#reason = error.message
    const waitMs = Math.min(LONGEST_WAIT_MS, 100 * 2 ** Math.min(this.#failures++, 10))
    this.#timer = setTimeout(() => void this.#connect(), waitMs)
  }

  async stop(): Promise<void> {
    this.#stopped = true
    clearTimeout(this.#timer)
    const client = this.#client
    this.#client = undefined
    if (client) await endOf(client)
  }
}

/** Ends a connection; one that went silent is given up after a second, else its socket would keep the process alive. */
async function endOf(client: pg.Client): Promise<void> {
  const late = setTimeout(() => client.connection.stream.destroy(), END_MS)
  await client.end().catch(() => undefined)
  clearTimeout(late)
}

import type { EventEmitter } from 'node:events'
import type { PgClient, PgStatement, QueryResult } from './database.ts'

/** What pg's own queries and cursors write to, as far as it is used here. */
export interface Connection extends EventEmitter {
  readonly stream: { cork(): void; uncork(): void; destroy(): void }
  /** Texts by name: what this connection has prepared. */
  readonly parsedStatements: Record<string, string | undefined>
  parse(statement: { readonly name: string; readonly text: string }): void
  bind(portal: { readonly statement: string; readonly values: readonly unknown[] }): void
  execute(portal: object): void
  sync(): void
}

const METHODS = ['parse', 'bind', 'execute', 'sync'] as const

/** Whether several statements can be sent to this client in one packet. One that pipelines does so by itself. */
export function takesPackets(client: PgClient): boolean {
  const { connection, pipeline, readyForQuery } = client as {
    connection?: Connection
    pipeline?: boolean
    readyForQuery?: boolean
  }
  return (
    pipeline !== true &&
    typeof readyForQuery === 'boolean' &&
    connection?.parsedStatements !== undefined &&
    typeof connection.stream?.cork === 'function' &&
    METHODS.every((name) => typeof connection[name] === 'function')
  )
}

/**
 * Runs statements by one packet, which the server answers by one: each costs its own work and no waiting. After one that
 * fails none of the rest is run. Values come back as text, in arrays.
 * @throws whatever the server says of the first that fails
 * @see https://www.postgresql.org/docs/current/protocol-flow.html#PROTOCOL-FLOW-EXT-QUERY
 */
export function runInOnePacket(client: PgClient, statements: readonly PgStatement[]): Promise<QueryResult[]> {
  return new Promise((resolve, reject) => {
    const packet = new Packet(statements, resolve, reject)
    // pg runs anything that has `submit`, as its cursors do
    ;(client as unknown as { query(packet: Packet): unknown }).query(packet)
  })
}

/** A query in the eyes of pg's client: it is submitted once, and hears what the server says until it is ready again. */
class Packet {
  readonly #statements: readonly PgStatement[]
  readonly #resolve: (results: QueryResult[]) => void
  readonly #reject: (error: Error) => void
  readonly #results: QueryResult[] = []
  #rows: unknown[][] = []
  #unhook = () => {}

  constructor(
    statements: readonly PgStatement[],
    resolve: (results: QueryResult[]) => void,
    reject: (error: Error) => void,
  ) {
    this.#statements = statements
    this.#resolve = resolve
    this.#reject = reject
  }

  submit(connection: Connection): Error | null {
    const fresh: PgStatement[] = []
    connection.stream.cork()
    try {
      for (const statement of this.#statements) {
        const { name, text, values = [] } = statement
        if (name === undefined || !(connection.parsedStatements[name] || fresh.some((other) => other.name === name))) {
          connection.parse({ name: name ?? '', text })
          fresh.push(statement)
        }
        connection.bind({ statement: name ?? '', values: values.map(parameterOf) })
        connection.execute({})
      }
      connection.sync()
    } finally {
      connection.stream.uncork()
    }
    if (fresh.some(({ name }) => name !== undefined)) this.#remember(connection, fresh)
    return null
  }

  /** Whatever comes of it, what was prepared is there from then on. */
  #remember(connection: Connection, fresh: readonly PgStatement[]): void {
    let parsed = 0
    const onParsed = () => {
      const { name, text } = fresh[parsed++]!
      if (name !== undefined) connection.parsedStatements[name] = text
    }
    connection.on('parseComplete', onParsed)
    this.#unhook = () => connection.removeListener('parseComplete', onParsed)
  }

  handleDataRow({ fields }: { readonly fields: unknown[] }): void {
    this.#rows.push(fields)
  }

  handleCommandComplete({ text }: { readonly text: string }): void {
    this.#results.push({ rows: this.#rows, command: text.split(' ', 1)[0]! })
    this.#rows = []
  }

  handleReadyForQuery(): void {
    this.#unhook()
    this.#resolve(this.#results)
  }

  handleError(error: Error): void {
    this.#unhook()
    this.#reject(error)
  }
}

/** A value as the server reads it: text, bytes or nothing. */
function parameterOf(value: unknown): string | Buffer | null {
  if (value == null) return null
  if (Buffer.isBuffer(value)) return value
  return Array.isArray(value) ? arrayText(value) : String(value)
}

/** @see https://www.postgresql.org/docs/current/arrays.html#ARRAYS-IO */
function arrayText(values: readonly unknown[]): string {
  const elements = values.map((value) => {
    if (value == null) return 'NULL'
    if (Buffer.isBuffer(value)) return `"\\\\x${value.toString('hex')}"`
    return `"${String(value).replace(/["\\]/g, '\\$&')}"`
  })
  return `{${elements.join(',')}}`
}

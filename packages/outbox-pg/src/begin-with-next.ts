import { runInOnePacket, type Connection } from './one-packet.ts'
import type { PgClient } from './database.ts'

/** What the server answers to BEGIN where no Sync follows it. */
const ANSWERS = ['parseComplete', 'bindComplete', 'commandComplete']

const beginning = new WeakSet<PgClient>()

/** Whether BEGIN is on its way, so that the client's own status doesn't know of it yet. */
export function isBeginning(client: PgClient): boolean {
  return beginning.has(client)
}

/**
 * Begins a transaction in the packet of what the client is given next in this turn of the event loop: it costs no round
 * trip of its own. There is no Sync between the two, so if BEGIN fails the server runs nothing of the other; the error goes
 * to that, and the connection ends. For a client that takes packets and is idle.
 * @see https://www.postgresql.org/docs/current/protocol-flow.html#PROTOCOL-FLOW-PIPELINING
 */
export function beginWithNext(client: PgClient): void {
  const { connection } = client as unknown as { readonly connection: Connection }
  beginning.add(client)
  connection.stream.cork()
  connection.parse({ name: '', text: 'BEGIN' })
  connection.bind({ statement: '', values: [] })
  connection.execute({})
  keepFromQueries(connection, () => beginning.delete(client))
  process.nextTick(() => {
    // alone, BEGIN wants an answer all the same: its session would look as if it were running it till the next
    if ((client as { readyForQuery?: boolean }).readyForQuery) runInOnePacket(client, []).catch(() => {})
    connection.stream.uncork()
  })
}

/** pg gives answers to the query that is active, which knows nothing of BEGIN. */
function keepFromQueries(connection: Connection, onAnswered: () => void): void {
  const { emit } = connection
  let answered = 0
  connection.emit = (event: string, ...given: unknown[]) => {
    if (event === ANSWERS[answered]) {
      answered++
      return true
    }
    const failed = event === 'errorMessage' && answered < ANSWERS.length
    if (!failed && event !== 'readyForQuery' && event !== 'end') return emit.call(connection, event, ...given)
    connection.emit = emit
    onAnswered()
    const heard = emit.call(connection, event, ...given)
    // the server reads on to the next Sync, which what came next may lack
    if (failed) connection.stream.destroy()
    return heard
  }
}

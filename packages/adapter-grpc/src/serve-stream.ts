import type { ServerDuplexStream } from '@grpc/grpc-js'
import { ClosedError, CodecError, ConnectionError, TimeoutError, ValidationError } from '@waybill/core'
import type { StreamCall, StreamRoute } from './bidi.ts'
import { Incoming } from './incoming.ts'
import type { ResolvedConnection } from './options.ts'
import { Outgoing } from './outgoing.ts'
import { toStatus } from './status.ts'

export type RawServerCall = ServerDuplexStream<Uint8Array, Uint8Array>

interface Surroundings {
  readonly resolved: ResolvedConnection
  /** Aborts when the server begins to stop. */
  readonly draining: AbortSignal
  /** Aborts when stop's patience is at its end. */
  readonly stopped: AbortSignal
}

/**
 * Runs a handler for one stream and ends the stream with a status, whatever happens: the client library turns neither
 * a rejected handler nor a destroyed call into one, and the client would wait for ever. Never rejects.
 */
export async function serveStream(route: StreamRoute, raw: RawServerCall, around: Surroundings): Promise<void> {
  const { resolved, draining, stopped } = around
  const over = new AbortController()
  const what = `stream ${route.definition.path}`
  const leave = (reason: Error) => over.abort(reason)
  // `cancelled` also comes after a normal end: by then `over` has aborted already, and this changes nothing.
  for (const event of ['cancelled', 'close']) raw.on(event, () => leave(lost(what, raw)))
  raw.on('error', leave)
  const onStopped = () => leave(new ClosedError(`${what} was under way when the server had to stop`))
  if (stopped.aborted) onStopped()
  else stopped.addEventListener('abort', onStopped, { signal: over.signal })

  const incoming = new Incoming(raw)
  if (draining.aborted) incoming.stop()
  else draining.addEventListener('abort', () => incoming.stop(), { signal: over.signal })
  const outgoing = new Outgoing(raw, over.signal, resolved.maxPendingSends)
  const call: StreamCall<unknown> = {
    async send(message) {
      const written = route.definition.response.write(message, resolved.maxMessageBytes)
      // Not awaited without need: two sends in a row then keep their order.
      await outgoing.send(written instanceof Promise ? await written : written)
    },
    signal: over.signal,
    draining,
    metadata: Object.freeze(metadataOf(raw)),
    peer: raw.getPeer(),
  }
  try {
    const answers = route.handler(requestsOf(route, incoming, call), call)
    if (Symbol.asyncIterator in answers) for await (const answer of answers) await call.send(answer)
    else await answers
    if (over.signal.aborted) return
    // Requests that came and were not read are lost to this server: a client that resumes sends them to the next.
    if (draining.aborted && !incoming.complete) throw new ClosedError('the server is stopping: open a new stream')
    raw.end()
  } catch (error) {
    const wasOver = over.signal.aborted && !stopped.aborted
    if (!wasOver) raw.emit('error', toStatus(error))
    if (error !== over.signal.reason && !draining.aborted) {
      resolved.logger.warn({ error, path: route.definition.path, peer: call.peer }, 'stream handler failed')
    }
  } finally {
    leave(new ClosedError(`${what} is over`))
    // Unread requests would hold the connection's flow-control window.
    raw.resume()
  }
}

async function* requestsOf(route: StreamRoute, incoming: Incoming, call: StreamCall<unknown>): AsyncGenerator<unknown> {
  const { request } = route.definition
  for (;;) {
    const bytes = await incoming.next()
    if (bytes === undefined) {
      call.signal.throwIfAborted()
      return
    }
    let raw: unknown
    try {
      raw = request.parse(bytes)
      yield await request.check(raw)
    } catch (error) {
      const { onInvalid } = route.options
      if (onInvalid === undefined || !(error instanceof ValidationError || error instanceof CodecError)) throw error
      await onInvalid(error, call, raw)
    }
  }
}

function lost(what: string, raw: RawServerCall): Error {
  const deadline = raw.getDeadline()
  if (Number(deadline) <= Date.now()) return new TimeoutError(`${what} passed the deadline that its client set`)
  return new ConnectionError(`${what} was cancelled by its client, or its connection was lost`)
}

function metadataOf(raw: RawServerCall): Record<string, string> {
  const texts = Object.entries(raw.metadata.getMap()).filter((entry) => typeof entry[1] === 'string')
  return Object.fromEntries(texts) as Record<string, string>
}

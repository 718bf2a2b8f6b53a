import type { PartHealth } from '@waybill/core'
import { jsonLine, loadModule, printable, UsageError, valueOf, type Exported } from '@waybill/core/command'
import { ConfigError } from '@waybill/core'
import type { PgPool } from '../database.ts'
import type { RelayOptions } from '../relay/options.ts'
import { startRelay } from '../relay/relay.ts'
import { pause, type OutboxIo } from './outbox-io.ts'

/** What a file given by `--config` exports: values, promises, or functions that give them; named, or as one default object. */
export interface RelayConfig extends Omit<RelayOptions, 'pool' | 'transports' | 'outbox' | 'schema'> {
  /** @default made from --url or DATABASE_URL */
  readonly pool?: Exported<PgPool>
  readonly transports?: Exported<RelayOptions['transports']>
  /** Called at the end, to close what the file opened, the pool included. */
  close?(): unknown
}

export interface RelayOrder {
  readonly config: string | undefined
  readonly schema: string | undefined
  readonly json: boolean
}

const LOOK_MS = 500
const DRAIN_MS = 7_000

/** `waybill-outbox relay`: a relay in a process of its own, until it is told to end. */
export async function relay(order: RelayOrder, openPool: () => PgPool, io: OutboxIo): Promise<number> {
  if (order.config === undefined) throw new UsageError('give --config FILE')
  const { pool, transports, close, ...options } = await loadModule<RelayConfig>(order.config)
  try {
    if (transports === undefined)
      throw new ConfigError(`${order.config} exports no transports: such as { amqp: amqp({ url }) }`)
    const carriers = await valueOf(transports)
    const running = startRelay({
      ...known(options),
      pool: pool === undefined ? openPool() : await valueOf(pool),
      transports: carriers,
      schema: order.schema,
    })
    await tell(() => running.health(), Object.keys(carriers), order.json, io)
    await running.stop({ drainTimeoutMs: DRAIN_MS })
    const failed = await running.ended
    if (failed) throw failed
    io.print(order.json ? jsonLine({ event: 'stopped' }) : 'stopped')
    return 0
  } finally {
    await close?.()
  }
}

/** Says when it is ready, what goes wrong, and when that is over. */
async function tell(
  health: () => Promise<readonly PartHealth[]>,
  names: string[],
  json: boolean,
  io: OutboxIo,
): Promise<void> {
  let ready = false
  const wrong = new Map<string, string>()
  while (!io.signal.aborted) {
    const parts = await health()
    for (const { part, state, reason = 'no reason given' } of parts) {
      if (state !== 'up' && reason === 'starting') continue
      const told = wrong.get(part)
      if (state === 'up' && told !== undefined) {
        wrong.delete(part)
        io.print(json ? jsonLine({ event: 'up', part }) : `${printable(part)} is well again`)
      } else if (state !== 'up' && told !== state) {
        // once for each state: counts and ages in the reason change all the time
        wrong.set(part, state)
        io.printError(
          json ? jsonLine({ event: state, part, reason }) : `${printable(part)} is ${state}: ${printable(reason)}`,
        )
      }
    }
    const readers = parts.filter(({ part }) => part.startsWith('reader '))
    if (
      !ready &&
      readers.every(({ state, reason }) => state === 'up' || (state === 'degraded' && reason !== 'starting'))
    ) {
      ready = true
      io.print(
        json ? jsonLine({ event: 'ready', transports: names }) : `relay is ready: ${names.map(printable).join(', ')}`,
      )
    }
    await pause(LOOK_MS, io.signal)
  }
}

/** A module exports more than options; what is no option stays out. */
function known(config: Omit<RelayConfig, 'pool' | 'transports' | 'close'>) {
  const { listen, pollMs, batch, window, leaseMs, onParked, retryMs, retentionMs, logger, telemetry } = config
  return { listen, pollMs, batch, window, leaseMs, onParked, retryMs, retentionMs, logger, telemetry }
}

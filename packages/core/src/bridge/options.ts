import type { BusOptions } from '../bus.ts'
import type { Definition } from '../definition.ts'
import { ConfigError } from '../errors.ts'
import type { Publisher, SubscribeOptions, Transport } from '../transport.ts'
import type { Forward } from './forward.ts'

export interface BridgeOptions extends Pick<BusOptions, 'parked' | 'retry' | 'logger' | 'telemetry' | 'ports'> {
  /** The service as which the bridge reads; its instances share the messages. */
  readonly name: string
  /** Belongs to the bridge, which disposes it; `shared(transport)` keeps it open. */
  readonly from: Transport
  /** Belongs to the bridge, as `from` does. */
  readonly to: Transport | Publisher
  readonly routes: readonly Forward[]
  /**
   * What both directions of a two-way bridge have in common: neither takes what the other one brought.
   * @default name
   */
  readonly link?: string | undefined
  /** Messages on their way over at once; those of one key go one after another. @default 100 */
  readonly concurrency?: number | undefined
  /** How long the far side may take for one message before it counts as away. @default 30_000 (milliseconds) */
  readonly forwardTimeoutMs?: number | undefined
  /** Where a bridge without a saved position begins. @default 'earliest' */
  readonly start?: SubscribeOptions['start'] | undefined
  /** The definition of messages that come without a type, from a foreign producer. */
  readonly assume?: Definition | undefined
}

/** @throws {ConfigError} for what is missing or can't be bridged */
export function checkBridgeOptions({ name, from, to, routes, link = name }: BridgeOptions): void {
  if (typeof from?.subscribe !== 'function') throw new ConfigError('from is missing: give a transport to read from')
  if (typeof to?.publish !== 'function') throw new ConfigError('to is missing: give a transport or publisher')
  if (routes.length === 0) throw new ConfigError(`bridge "${name}" has no routes: give at least one forward()`)
  if (!/^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$/.test(link)) {
    throw new ConfigError(`link ${JSON.stringify(link)}: give 1 to 100 letters, digits, '.', '_' or '-'`)
  }
  if (routes.filter((route) => !('wireType' in route.from)).length > 1) {
    throw new ConfigError(`bridge "${name}" reads two topics or queues whole: give each a bridge of its own`)
  }
  for (const { from: origin, to: target, map } of routes) {
    const definitions = [origin, target].filter((one) => 'wireType' in one)
    if (definitions.some(({ kind }) => kind === 'request')) {
      throw new ConfigError(`bridge "${name}" can not carry requests: their reply address is of one carrier alone`)
    }
    const encodes = definitions.length === 2
    if (!encodes && 'wireType' in target) {
      throw new ConfigError(`bridge "${name}": to encode for "${target.wireType}", give forward() the definition read`)
    }
    if (!encodes && map !== undefined) {
      throw new ConfigError(`bridge "${name}": map needs a definition on both sides`)
    }
  }
}

import type { AmqpChannel } from './client.ts'
import type { ResolvedOptions } from './options.ts'

/** Binds a queue, or the exchange in front of its shards, to the exchanges of others that the options name. */
export async function bindToOthers(
  channel: AmqpChannel,
  home: string,
  through: { readonly queue: string } | { readonly exchange: string },
  { bindings, topology }: ResolvedOptions,
): Promise<void> {
  const own = Object.hasOwn(bindings, home) ? bindings[home]! : []
  for (const { exchange, routingKey = '', arguments: given = {} } of own) {
    await channel.checkExchange(exchange)
    if (topology === 'check') continue
    if ('queue' in through) await channel.bindQueue(through.queue, exchange, routingKey, given)
    else await channel.bindExchange(through.exchange, exchange, routingKey, given)
  }
}

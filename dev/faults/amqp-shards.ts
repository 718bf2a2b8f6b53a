import { createBus, defineEvent, on } from '@waybill/core'
import { amqp } from '@waybill/adapter-amqp'
import { z } from 'zod'

/** One instance of an ordered service in shards; tells its parent what it handles. */
const { BROKER_URL, SERVICE, SHARDS } = process.env
const schema = z.object({ key: z.string(), n: z.number() })
const Happened = defineEvent(`${SERVICE!}.happened`, {
  destination: { name: SERVICE! },
  schema,
  orderingKey: ({ key }) => key,
})
const transport = amqp({ url: BROKER_URL!, shards: { [SERVICE!]: Number(SHARDS) } })
const bus = createBus({ transport, source: '/shards' })
process.once('disconnect', () => process.exit(0))
await bus.subscribe(SERVICE!, [on(Happened, (data) => void process.send?.(data))])
process.send?.('reading')

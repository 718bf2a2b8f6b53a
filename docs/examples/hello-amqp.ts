import { createBus, defineEvent, on } from '@waybill/core'
import { amqp } from '@waybill/adapter-amqp'
import { z } from 'zod'

const Greeted = defineEvent('hello.greeted', { schema: z.object({ name: z.string() }) })
const bus = createBus({ transport: amqp({ url: process.env.AMQP_URL ?? 'amqp://localhost' }), source: '/hello' })

const [, , name] = process.argv
if (name === undefined) {
  await bus.subscribe('hello', [on(Greeted, (greeted) => console.log(`hello ${greeted.name}`))])
  console.log('reading')
} else {
  await bus.publish(Greeted, { name })
  await bus.stop()
}

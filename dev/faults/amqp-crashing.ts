import { createBus, defineCommand, on } from '@waybill/core'
import { amqp } from '@waybill/adapter-amqp'
import { z } from 'zod'

/** A service whose process ends at one of its messages; tells its parent which others it has handled. */
const { BROKER_URL, QUEUE, POISON } = process.env
const Job = defineCommand(QUEUE!, { schema: z.object({ n: z.number() }) })
const bus = createBus({ transport: amqp({ url: BROKER_URL! }), source: '/crashing' })
process.once('disconnect', () => process.exit(0))
await bus.subscribe(
  `${QUEUE}.service`,
  [
    on(Job, ({ n }) => {
      if (n === Number(POISON)) process.kill(process.pid, 'SIGKILL')
      process.send?.(n)
    }),
  ],
  { concurrency: 25 },
)

import type { Source, SubscribeOptions, Transport } from '../transport.ts'
import { contentOf } from './content.ts'
import { numberOf } from './sample.ts'

/** What the suite tells the process to do. */
export interface ConsumerPlan {
  readonly service: string
  readonly sources: readonly Source[]
  readonly mode: SubscribeOptions['mode']
  readonly maxOpen: number
  /** The message with this number is never settled. */
  readonly holdNumber: number
}

/** What the process tells the suite. */
export type ConsumerReport =
  | { readonly kind: 'reading' }
  | { readonly kind: 'seen'; readonly id: string; readonly number: number; readonly content: string }
  | { readonly kind: 'failed'; readonly reason: string }

/**
 * The whole of a script that the suite starts, to kill it while it handles a message. The script gets its settings by
 * `process.environment` of the hooks.
 * @example runConsumer({ create: () => amqp({ url: process.env.BROKER_URL }) })
 */
export function runConsumer({ create }: { readonly create: () => Transport | Promise<Transport> }): void {
  process.once('message', (plan) => {
    consume(create, plan as ConsumerPlan).catch((error: unknown) => report({ kind: 'failed', reason: String(error) }))
  })
  process.once('disconnect', () => process.exit(0))
}

async function consume(create: () => Transport | Promise<Transport>, plan: ConsumerPlan): Promise<void> {
  const { holdNumber, ...options } = plan
  const transport = await create()
  await transport.subscribe(
    { ...options, ackBefore: false, maxOpenBytes: 64 * 1024 * 1024, start: 'earliest' },
    async ({ message }) => {
      const number = numberOf(message)
      report({ kind: 'seen', id: message.id, number, content: contentOf(message) })
      if (number === holdNumber) await new Promise<never>(() => {})
      return { outcome: 'ack' }
    },
  )
  report({ kind: 'reading' })
}

function report(what: ConsumerReport): void {
  process.send?.(what)
}

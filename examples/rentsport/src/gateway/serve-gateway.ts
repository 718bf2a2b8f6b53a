import { bidi, serve, type StreamCall, type StreamServer } from '@waybill/adapter-grpc'
import type { Logger } from '@waybill/core'
import { ChargeRuns, REALISTIC_DELAYS, type Delays } from './charge-runs.ts'
import { Gateway, type GatewayAnswer, type GatewayCommand } from './contract.ts'
import type { Ledger } from './ledger.ts'
import type { z } from 'zod'

export interface ServeGatewayOptions {
  readonly ledger: Ledger
  /** `host:port`. */
  readonly address: string
  readonly logger: Logger
  /** @default 300, then 400, then 500 ms, each with some jitter */
  readonly delays?: Delays | undefined
}

type Command = z.output<typeof GatewayCommand>
type Answer = Omit<GatewayAnswer, 'charges' | 'message'> & Partial<Pick<GatewayAnswer, 'charges' | 'message'>>

/** Void, refund and list of one stream under way at once. */
const MAX_AT_ONCE = 50

/** The simulated bank. */
export async function serveGateway(options: ServeGatewayOptions): Promise<StreamServer> {
  const { ledger, address, logger, delays = REALISTIC_DELAYS } = options
  const runs = new ChargeRuns(ledger, delays, logger)
  const exchange = bidi(Gateway, 'Exchange', async (commands, call) => {
    const working = new Set<Promise<void>>()
    let fail!: (error: unknown) => void
    const failed = new Promise<never>((_, reject) => (fail = reject))
    // A send that fails says that the stream is over: its client asks again on the next one.
    const answer = (given: Answer) => void call.send(given).catch(fail)
    const read = async () => {
      for await (const command of commands) {
        if (command.command === 'CHARGE') charge(runs, command, answer, call)
        else {
          const done = settle(ledger, command)
            .then(answer, fail)
            .finally(() => working.delete(done))
          working.add(done)
          while (working.size >= MAX_AT_ONCE) await Promise.race(working)
        }
      }
      await Promise.all(working)
    }
    await Promise.race([read(), failed])
  })
  const server = await serve({ address, services: [exchange], logger, keepaliveMs: 5_000, keepaliveTimeoutMs: 5_000 })
  const stop = server.stop.bind(server)
  return {
    get port() {
      return server.port
    },
    get openStreams() {
      return server.openStreams
    },
    stop(stopOptions) {
      runs.stop()
      return stop(stopOptions)
    },
    [Symbol.asyncDispose]() {
      runs.stop()
      return stop()
    },
  }
}

function charge(runs: ChargeRuns, command: Command, answer: (given: Answer) => void, call: StreamCall<unknown>): void {
  const { payment_id } = command
  runs.follow(command, { signal: call.signal, tell: (step) => answer({ command: 'CHARGE', payment_id, ...step }) })
}

async function settle(ledger: Ledger, { command, payment_id }: Command): Promise<Answer> {
  switch (command) {
    case 'VOID': {
      const wanted = { outcome: 'VOIDED', message: 'the payment was voided' } as const
      const { outcome } = await ledger.decide(payment_id, wanted, 0, '')
      return { command, payment_id, answer: outcome === 'COMPLETED' ? 'CHARGED' : 'VOIDED' }
    }
    case 'REFUND':
      return { command, payment_id, answer: (await ledger.refund(payment_id)) ? 'REFUNDED' : 'NOTHING' }
    default:
      return { command, payment_id, answer: 'LISTED', charges: await ledger.charges(payment_id) }
  }
}

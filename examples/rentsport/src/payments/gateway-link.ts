import { createChannel } from '@waybill/adapter-grpc'
import { TimeoutError, type Logger } from '@waybill/core'
import { Gateway, type Charge, type GatewayAnswer, type GatewayCommand } from '../gateway/contract.ts'

/** The way to the gateway: one stream, opened again whenever it drops; what is unanswered is then sent again. */
export interface GatewayLink extends AsyncDisposable {
  /** Sends now, and again after each reconnect, until `settled`. False where too much is unanswered already. */
  ask(command: GatewayCommand): boolean
  /** Whether this was asked and is not settled. */
  asked(command: GatewayCommand['command'], paymentId: string): boolean
  settled(command: GatewayCommand['command'], paymentId: string): void
  /** Payments whose charge is asked for and not settled. */
  charging(): string[]
  /**
   * The gateway's own ledger.
   * @throws {TimeoutError} no answer within `timeoutMs`
   */
  charges(paymentId: string, timeoutMs?: number): Promise<readonly Charge[]>
  /** `undefined` while connected, else why not. */
  readonly trouble: string | undefined
}

export interface GatewayLinkOptions {
  /** `host:port`. */
  readonly address: string
  readonly onAnswer: (answer: GatewayAnswer) => void | Promise<void>
  readonly logger: Logger
}

const MAX_UNANSWERED = 10_000
const READY_TIMEOUT_MS = 5_000
const keyOf = (command: GatewayCommand['command'], paymentId: string) => `${command} ${paymentId}`

export function openGatewayLink({ address, onAnswer, logger }: GatewayLinkOptions): GatewayLink {
  const unanswered = new Map<string, GatewayCommand>()
  const questions = new Map<string, Set<(charges: readonly Charge[]) => void>>()
  const closed = new AbortController()
  let trouble: string | undefined = 'not connected yet'
  // The gateway may hang without closing its end: noticed by keepalive, well before a payment's time is over.
  const channel = createChannel({ address, keepaliveMs: 2_000, keepaliveTimeoutMs: 2_000, logger })
  const stream = channel.resuming(Gateway, 'Exchange', {
    maxMs: 500,
    signal: closed.signal,
    resume: async ({ send }) => {
      void channel.ready(READY_TIMEOUT_MS).then(
        () => (trouble = undefined),
        () => undefined,
      )
      for (const command of unanswered.values()) await send(command)
    },
    onDrop: (error) => (trouble = error.message),
  })

  const hear = async (answer: GatewayAnswer): Promise<void> => {
    trouble = undefined
    if (answer.command !== 'CHARGES') return onAnswer(answer)
    unanswered.delete(keyOf('CHARGES', answer.payment_id))
    for (const resolve of questions.get(answer.payment_id) ?? []) resolve(answer.charges)
  }
  const reading = (async () => {
    while (!closed.signal.aborted) {
      try {
        for await (const answer of stream) await hear(answer)
      } catch (error) {
        if (closed.signal.aborted) return
        trouble = error instanceof Error ? error.message : String(error)
        logger.error({ error }, 'the gateway refuses the stream: opening it again')
        await new Promise((resolve) => setTimeout(resolve, 1_000))
      }
    }
  })()

  const send = (command: GatewayCommand): boolean => {
    const key = keyOf(command.command, command.payment_id)
    if (unanswered.has(key)) return true
    if (unanswered.size >= MAX_UNANSWERED) return false
    unanswered.set(key, command)
    stream.send(command).catch((error: { code?: string }) => {
      // Without a stream it stays: the next one's `resume` sends it. Any other trouble: somebody asks again.
      if (error.code !== 'CONNECTION' && error.code !== 'CLOSED') unanswered.delete(key)
    })
    return true
  }

  return {
    ask: send,
    asked: (command, paymentId) => unanswered.has(keyOf(command, paymentId)),
    settled: (command, paymentId) => void unanswered.delete(keyOf(command, paymentId)),
    charging: () =>
      [...unanswered.values()].filter(({ command }) => command === 'CHARGE').map(({ payment_id }) => payment_id),
    async charges(paymentId, timeoutMs = 3_000) {
      const waiting = questions.get(paymentId) ?? new Set()
      questions.set(paymentId, waiting)
      let resolve!: (charges: readonly Charge[]) => void
      let late: NodeJS.Timeout | undefined
      try {
        return await new Promise<readonly Charge[]>((done, fail) => {
          waiting.add((resolve = done))
          const text = `the gateway did not list charges within ${timeoutMs} ms: ${trouble ?? 'connected'}`
          late = setTimeout(() => fail(new TimeoutError(text)), timeoutMs)
          send({ command: 'CHARGES', payment_id: paymentId })
        })
      } finally {
        clearTimeout(late)
        waiting.delete(resolve)
        if (waiting.size === 0) {
          questions.delete(paymentId)
          unanswered.delete(keyOf('CHARGES', paymentId))
        }
      }
    },
    get trouble() {
      return trouble
    },
    async [Symbol.asyncDispose]() {
      closed.abort(new Error('the link to the gateway is closed'))
      channel.close()
      await reading
    },
  }
}

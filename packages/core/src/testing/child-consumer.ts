import { AssertionError } from 'node:assert'
import { fork, type ChildProcess } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import type { Destination } from '../wire-message.ts'
import { asSource, type CaseContext } from './case-context.ts'
import type { ConsumerPlan, ConsumerReport } from './consumer-process.ts'
import type { ProcessHooks } from './fault-hooks.ts'

export interface ChildOptions {
  readonly service: string
  readonly from: readonly Destination[]
  readonly maxOpen: number
  readonly holdNumber: number
  readonly mode?: ConsumerPlan['mode'] | undefined
}

/** A consumer in a process of its own. What it sees is written in the ledger under the name of its service. */
export class ChildConsumer implements AsyncDisposable {
  readonly #child: ChildProcess
  readonly #exited: Promise<void>
  readonly #numbers = new Set<number>()
  #failure: string | undefined
  #reading = false

  private constructor(hooks: ProcessHooks, context: CaseContext, service: string) {
    const script = hooks.script instanceof URL ? fileURLToPath(hooks.script) : hooks.script
    this.#child = fork(script, {
      env: { ...process.env, ...hooks.environment },
      // what the test's own process was started with is not for this one
      execArgv: [...(hooks.execArgv ?? [])],
      stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    })
    this.#exited = new Promise((resolve) => this.#child.once('exit', () => resolve()))
    void this.#exited.then(() => {
      if (!this.#reading) this.#failure ??= 'it ended before it was reading'
      context.wake()
    })
    this.#child.on('message', (what) => {
      const report = what as ConsumerReport
      if (report.kind === 'reading') this.#reading = true
      else if (report.kind === 'failed') this.#failure = report.reason
      else {
        this.#numbers.add(report.number)
        context.ledger.seen({ id: report.id, reader: service, content: report.content })()
      }
      context.wake()
    })
  }

  /** Fulfilled when it reads. */
  static async start(hooks: ProcessHooks, context: CaseContext, options: ChildOptions): Promise<ChildConsumer> {
    const { service, from, maxOpen, holdNumber, mode = 'compete' } = options
    const consumer = new ChildConsumer(hooks, context, service)
    const plan: ConsumerPlan = { service, sources: from.map(asSource), mode, maxOpen, holdNumber }
    consumer.#child.send(plan)
    await context.until(() => consumer.#reading || consumer.#failure !== undefined, 'the consumer process to read')
    if (consumer.#failure === undefined) return consumer
    await consumer[Symbol.asyncDispose]()
    throw new AssertionError({ message: `the consumer process does not read: ${consumer.#failure}` })
  }

  saw(number: number): boolean {
    return this.#numbers.has(number)
  }

  freeze(): void {
    this.#child.kill('SIGSTOP')
  }

  resume(): void {
    this.#child.kill('SIGCONT')
  }

  /** `kill -9`; fulfilled when it is gone. */
  async kill(): Promise<void> {
    this.#child.kill('SIGKILL')
    await this.#exited
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.kill()
  }
}

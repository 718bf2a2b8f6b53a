import { ConnectionError, UnrecoverableError } from '../../errors.ts'
import { on, respond, type Context, type Route } from '../../handler.ts'
import type { Settlement } from '../../transport.ts'
import { Double, Noted, SERVICES, type Data, type ServiceName } from '../definitions.ts'
import type { SimulatedProcess } from './simulated-process.ts'

/** How a handler goes wrong, by weight. */
const FAILURES = {
  throws: 4,
  throwsAtOnce: 2,
  dependency: 3,
  unrecoverable: 1,
  hangs: 2,
  stubborn: 1,
  slow: 4,
  asksRequeue: 1,
  asksRelease: 1,
  asksDeadLetter: 1,
  publishes: 2,
}
type Failure = keyof typeof FAILURES

/** The handlers of one service in one process: inbox-like, each effect once, with failures of every kind. */
export function routesOf(service: ServiceName, process: SimulatedProcess): readonly Route[] {
  const { world } = process
  return SERVICES[service].map((definition): Route => {
    if (definition === Double) return respond(Double, (data, context) => observed(context, () => answer(data, context)))
    return on(definition as typeof Noted, (data, context) => observed(context, () => handle(data, context)))
  })

  /** Not asynchronous by itself: one that throws at once does so. */
  function observed<T extends Settlement | void | { readonly twice: number }>(
    context: Context,
    run: () => Promise<T>,
  ): Promise<T> {
    const ended = world.deliveries.start(process.name, context, process.concurrency.get(service)!)
    let running: Promise<T>
    try {
      running = run()
    } catch (error) {
      ended('failed')
      throw error
    }
    return running.then(
      (given) => {
        world.trace.add(`handled ${context.message.id} at ${service} of ${process.name}`)
        ended('done', given !== undefined && 'outcome' in given ? given : undefined)
        return given
      },
      (error: unknown) => {
        world.trace.add(`failed ${context.message.id} at ${service} of ${process.name}: ${String(error)}`)
        ended('failed')
        throw error
      },
    )
  }

  function drawFailure(): Failure | undefined {
    return world.faults.happens('handlerFails') ? world.chance.weighted(FAILURES) : undefined
  }

  function handle(data: Data, context: Context): Promise<void | Settlement> {
    const failure = drawFailure()
    const { id } = context.message
    world.trace.add(
      `handling ${id} (delivery ${context.message.attributes.handover ?? 0}) at ${service} of ${process.name}, attempt ${context.attempt}: ${failure ?? 'well'}`,
    )
    if (failure === 'throwsAtOnce') throw new Error('at once')
    return handleLater(data, context, failure)
  }

  async function handleLater(data: Data, context: Context, failure: Failure | undefined): Promise<void | Settlement> {
    const { id, orderingKey } = context.message
    const { capabilities } = world.plan.profile
    // each instance of a broadcast has effects of its own
    const effects = service === 'cache' ? `cache of ${process.name}` : service
    if (await world.database.look(process, effects, id)) return
    if (data.poison === true) throw world.chance.yes(0.5) ? new UnrecoverableError('poison') : new Error('poison')
    await fail(failure, context)
    if (failure === 'asksRelease') return { outcome: 'release' }
    if (failure === 'asksDeadLetter' && capabilities.deadLetter === true) {
      return { outcome: 'deadLetter', notes: { 'waybill-reason': 'asked for' } }
    }
    if (failure === 'asksRequeue' && capabilities.requeue !== undefined && orderingKey === undefined) {
      return { outcome: 'requeue', delayMs: world.chance.between(0, 1_000), notes: {} }
    }
    if (failure !== 'stubborn') context.signal.throwIfAborted()
    await world.database.commit(process, effects, id)
  }

  async function answer({ n }: Data, context: Context): Promise<{ readonly twice: number }> {
    await fail(drawFailure(), context)
    return { twice: 2 * n }
  }

  async function fail(failure: Failure | undefined, { signal, message }: Context): Promise<void> {
    const { chance, plan } = world
    switch (failure) {
      case 'throws':
        throw new TypeError('no luck')
      case 'dependency':
        throw new ConnectionError('a dependency is away')
      case 'unrecoverable':
        throw new UnrecoverableError('no way')
      case 'hangs':
        return await new Promise((_, reject) => {
          const onAbort = () => reject(signal.reason as Error)
          if (signal.aborted) onAbort()
          else signal.addEventListener('abort', onAbort, { once: true })
        })
      case 'stubborn':
        return await process.sleep(plan.handlerTimeoutMs + chance.between(0, 12_000))
      case 'slow':
        return await process.sleep(chance.between(0, Math.round(plan.handlerTimeoutMs * 1.1)))
      case 'publishes':
        await world.promises.watch(
          process,
          `${process.name} publishes ${message.id}+`,
          process.bus.publish(Noted, { n: 0 }, { id: `${message.id}+` }),
        )
        return
      default:
    }
  }
}

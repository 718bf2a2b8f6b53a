import type { BusContext } from './bus-context.ts'
import type { BusSettings } from './bus-options.ts'
import type { ServiceOptions } from './bus.ts'
import { resolveCircuit } from './circuit.ts'
import { Intake } from './intake.ts'
import { checkMiddleware } from './middleware/middleware.ts'
import type { TokenBucket } from './rate-limit.ts'
import { checkCapabilities, SERVICE_DEFAULTS, type ServicePlan } from './service-plan.ts'
import type { RunningPart } from './service.ts'

/** Subscribes one part of a service, once its carrier is known to do what it asks for. */
export async function startPart(
  plan: ServicePlan,
  options: ServiceOptions,
  bucket: TokenBucket | undefined,
  context: BusContext,
  settings: BusSettings,
): Promise<RunningPart> {
  const { carrier, routes, options: wanted } = plan
  const { transport } = carrier
  const { handlerTimeoutMs = SERVICE_DEFAULTS.handlerTimeoutMs, assume } = options
  const needs = { handlerTimeoutMs, parks: settings.parked !== undefined }
  checkCapabilities(plan, transport.capabilities, needs)
  const intake = new Intake(
    {
      service: wanted.service,
      transport: transport.name,
      answersAs: plan.answersAs,
      routes,
      assume: assume && routes.find(({ definition }) => definition.wireType === assume.wireType),
      concurrency: options.concurrency ?? SERVICE_DEFAULTS.concurrency,
      circuit: resolveCircuit(options.circuit),
      bucket,
      maxCrashes: options.maxCrashes ?? SERVICE_DEFAULTS.maxCrashes,
      maxWaiting: options.maxWaiting ?? SERVICE_DEFAULTS.maxWaiting,
      handlerTimeoutMs,
      maxOpen: wanted.maxOpen,
      ordered: wanted.mode === 'ordered',
      ackBefore: wanted.ackBefore,
      retry: options.retry ?? settings.retry,
      middleware: [...settings.middleware, ...checkMiddleware(options.middleware)],
      capabilities: transport.capabilities,
    },
    context,
  )
  // a queue comes with the subscription, which says how it is made
  const destinations = routes.map(({ definition }) => definition.destination).filter(({ kind }) => kind === 'topic')
  await transport.declare?.({ destinations, subscriptions: [wanted] })
  const subscription = await transport.subscribe(wanted, (delivery) => intake.deliver(delivery))
  try {
    checkCapabilities(plan, subscription.capabilities, needs)
  } catch (error) {
    await subscription.stop({ drainTimeoutMs: 0 })
    throw error
  }
  intake.attach(subscription)
  return { intake, subscription }
}

import { SERVICES, type ServiceName } from '../definitions.ts'
import { routesOf } from './handlers.ts'
import type { SimulatedProcess } from './simulated-process.ts'

/** Subscribes a service, however often that takes. */
export async function start(process: SimulatedProcess, service: ServiceName): Promise<void> {
  const { world } = process
  const { concurrency, handlerTimeoutMs } = world.plan
  process.concurrency.set(service, concurrency)
  const options = { concurrency, handlerTimeoutMs, broadcast: service === 'cache' }
  for (;;) {
    const subscribing = process.bus.subscribe(service, routesOf(service, process), options)
    try {
      const running = await world.promises.watch(process, `${process.name} subscribes ${service}`, subscribing)
      process.services.set(service, running)
      return
    } catch (error) {
      const { code } = error as { code?: unknown }
      if (code === 'CLOSED') return
      if (code === 'CONFIG' || code === 'UNSUPPORTED') world.verdicts.add(`subscribe ${service}: ${String(error)}`)
      await process.sleep(500)
    }
  }
}

/** What people do to a running process while things go wrong. Leaves everything running. */
export async function operate(process: SimulatedProcess): Promise<void> {
  const { world, services } = process
  const { chance, promises, faults } = world
  while (faults.active) {
    await process.sleep(chance.between(300, 6_000))
    const running = [...services]
    if (running.length === 0 || !faults.active) continue
    const [name, service] = chance.pick(running)
    switch (chance.pick(['concurrency', 'pause', 'stop', 'replay', 'restart', 'nothing'] as const)) {
      case 'concurrency':
        process.concurrency.set(name, chance.between(1, 5))
        service.setConcurrency(process.concurrency.get(name)!)
        break
      case 'pause':
        service.pause()
        await process.sleep(chance.between(0, 2_000))
        service.resume()
        break
      case 'stop':
        services.delete(name)
        await promises.watch(process, `${process.name} stops ${name}`, service.stop({ drainTimeoutMs: drainMs() }))
        // whoever did not end in time is on its own: the service that comes now knows nothing of it
        world.deliveries.forget(process.name, name)
        await start(process, name)
        break
      case 'replay':
        await replayOne(process)
        break
      case 'restart':
        if (chance.yes(0.5)) break
        await stop(process, drainMs())
        world.restart(process)
        return
      case 'nothing':
        break
    }
  }

  function drainMs(): number {
    return chance.between(0, 8_000)
  }
}

/** Stops in good order, and looks whether anything is left that could still go off. */
export async function stop(process: SimulatedProcess, drainTimeoutMs: number): Promise<void> {
  const { world, name, busOwner, services } = process
  services.clear()
  process.stopping = true
  await world.promises.watch(process, `${name} stops`, process.bus.stop({ drainTimeoutMs }))
  // what follows from the last settlement ends within this turn
  await process.sleep(0)
  if (world.deliveries.running(name) === 0 && world.scheduler.armed(busOwner) > 0) {
    world.verdicts.add(`${name} has stopped with ${world.scheduler.armed(busOwner)} timers armed`)
  }
  process.leave()
}

/** Gives one dead letter another chance, out of line. */
async function replayOne({ world }: SimulatedProcess): Promise<void> {
  if (world.plan.profile.capabilities.deadLetter !== true) return
  for await (const { handle, message } of world.broker.deadLetters.list()) {
    world.order.excuse(message.id)
    await Promise.allSettled(world.broker.deadLetters.replay([handle]))
    return
  }
}

/** All that a process does by itself from its start. */
export function startAll(process: SimulatedProcess): Promise<unknown> {
  return Promise.all(process.plan.services.filter((service) => service in SERVICES).map((each) => start(process, each)))
}

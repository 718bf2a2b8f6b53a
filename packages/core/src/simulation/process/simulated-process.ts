import type { Bus } from '../../bus.ts'
import { createBus } from '../../create-bus.ts'
import type { Ports } from '../../ports.ts'
import { retryPolicy } from '../../retry.ts'
import type { Service } from '../../bus.ts'
import { BrokerClient } from '../broker/broker-client.ts'
import type { ServiceName } from '../definitions.ts'
import type { ProcessPlan } from '../plan.ts'
import type { Owner } from '../scheduler.ts'
import { crashingTransport } from './crashing-transport.ts'
import type { ProcessWorld } from './process-world.ts'

/** Answers that leave beside its own messages. */
const MOST_REPLIES = 5

/**
 * One incarnation of a process: a bus and what is in its memory. It may die at each call of a port and each answer;
 * what is left of it then can reach nothing: its timers never fire and its calls go nowhere.
 */
export class SimulatedProcess implements Owner {
  readonly name: string
  readonly plan: ProcessPlan
  readonly world: ProcessWorld
  readonly bus: Bus
  readonly services = new Map<ServiceName, Service>()
  /** Handlers that may run at once, as last set. */
  readonly concurrency = new Map<ServiceName, number>()
  /** Only for the waits of its own code; the bus's are counted apart. */
  readonly busOwner: Owner
  readonly #client: BrokerClient
  stopping = false
  #alive = true
  #ids = 0

  constructor(plan: ProcessPlan, incarnation: number, world: ProcessWorld) {
    this.plan = plan
    this.world = world
    this.name = `${plan.name}.${incarnation}`
    const lives = () => this.#alive
    this.busOwner = {
      name: `${this.name} bus`,
      get alive() {
        return lives()
      },
    }
    this.#client = new BrokerClient(this.name, world.broker)
    const { retry, maxPending } = world.plan
    const { breakTransport = (transport) => transport } = world.options
    this.bus = createBus({
      transport: breakTransport(crashingTransport(this.#client, this)),
      source: `/${plan.name}`,
      ports: this.#ports(),
      retry: retryPolicy(retry),
      limits: { maxPendingRequests: maxPending, maxPendingPublishes: maxPending + MOST_REPLIES },
      ...(world.plan.profile.capabilities.deadLetter !== true && { parked: world.parkingLot }),
    })
  }

  get alive(): boolean {
    return this.#alive
  }

  get connected(): boolean {
    return this.#client.connected
  }

  touch(): boolean {
    if (this.#alive && this.world.faults.happens('crash')) this.crash()
    return this.#alive
  }

  crash(): void {
    if (!this.#alive) return
    this.#alive = false
    this.world.trace.add(`${this.name} dies`)
    this.#client.kill()
    this.world.restart(this)
  }

  /** It has stopped in good order: nothing of it is left. */
  leave(): void {
    this.#alive = false
  }

  /** A wait of the process's own code, which ends with the process. */
  sleep(delayMs: number): Promise<void> {
    return new Promise((resolve) => this.world.scheduler.schedule(this, resolve, delayMs))
  }

  #ports(): Ports {
    const { scheduler, chance } = this.world
    return {
      clock: {
        nowMs: () => {
          this.touch()
          return scheduler.nowMs
        },
      },
      timers: {
        schedule: (action, delayMs) => {
          if (!this.touch()) return () => {}
          return scheduler.schedule(this.busOwner, () => void (this.touch() && action()), delayMs)
        },
      },
      random: () => {
        this.touch()
        return chance.number()
      },
      newId: () => {
        this.touch()
        return `${this.name}-${++this.#ids}`
      },
    }
  }
}

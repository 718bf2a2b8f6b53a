import type { RetryOptions } from '../retry.ts'
import { drawProfile } from './broker/profiles.ts'
import type { BrokerProfile } from './broker/broker-context.ts'
import type { Chance } from './chance.ts'
import { SERVICES, type Data, type ServiceName } from './definitions.ts'
import { faultRates, type FaultRates } from './faults.ts'

export type MessageKind = 'noted' | 'moved' | 'glimpsed' | 'work' | 'unheard'

/** One message that a process means to publish, and keeps until it is confirmed. */
export interface Intent {
  readonly id: string
  readonly kind: MessageKind
  readonly data: Data
}

export interface ProcessPlan {
  readonly name: string
  readonly services: readonly ServiceName[]
  readonly outbox: readonly Intent[]
  readonly requests: number
}

/** All that is decided before the first step. */
export interface Plan {
  readonly profile: BrokerProfile
  readonly rates: FaultRates
  readonly faultsForMs: number
  readonly processes: readonly ProcessPlan[]
  readonly concurrency: number
  readonly handlerTimeoutMs: number
  readonly maxPending: number
  readonly retry: RetryOptions
}

/** Draws a scenario. Most are small, so that many fit into a minute; one of thirty is not. */
export function drawPlan(chance: Chance): Plan {
  const big = chance.yes(1 / 30)
  const count = chance.between(1, 3)
  const services = Object.keys(SERVICES) as ServiceName[]
  // each service runs somewhere
  const homes = new Map(services.map((service) => [service, chance.between(0, count - 1)]))
  const processes = Array.from({ length: count }, (_, index): ProcessPlan => {
    const name = `p${index + 1}`
    return {
      name,
      services: services.filter((service) => homes.get(service) === index || chance.yes(0.3)),
      outbox: drawOutbox(chance, name, big ? chance.between(15, 40) : chance.between(0, 4)),
      requests: big ? chance.between(0, 15) : chance.between(0, 2),
    }
  })
  return {
    profile: drawProfile(chance),
    rates: faultRates(chance),
    faultsForMs: chance.between(1_000, 40_000),
    processes,
    concurrency: chance.between(1, 4),
    handlerTimeoutMs: chance.between(1_000, 5_000),
    maxPending: chance.between(3, 10),
    retry: {
      inProcess: { tries: chance.between(1, 3), firstMs: chance.between(0, 200), maxMs: 2_000 },
      roundsMs: chance.pick([[], [500], [500, 5_000]]),
      onDependencyError: chance.pick(['stopTheLine', 'retry']),
    },
  }
}

function drawOutbox(chance: Chance, name: string, count: number): Intent[] {
  const keys = [`${name}-a`, `${name}-b`]
  return Array.from({ length: count }, (_, n): Intent => {
    const kind = chance.weighted<MessageKind>({ noted: 3, moved: 6, glimpsed: 1, work: 2, unheard: 0.1 })
    return {
      id: `${name}.${n}`,
      kind,
      data: { n, ...(kind === 'moved' && { key: chance.pick(keys) }), ...(chance.yes(0.05) && { poison: true }) },
    }
  })
}

import type { DurableBroker } from '../broker/durable-broker.ts'
import type { Chance } from '../chance.ts'
import type { Database } from '../database.ts'
import type { Faults } from '../faults.ts'
import type { DeliveryJudge } from '../judges/delivery-judge.ts'
import type { OrderJudge } from '../judges/order-judge.ts'
import type { PromiseJudge } from '../judges/promise-judge.ts'
import type { StoreJudge } from '../judges/store-judge.ts'
import type { Verdicts } from '../judges/verdicts.ts'
import type { Intent, Plan, ProcessPlan } from '../plan.ts'
import type { Scheduler } from '../scheduler.ts'
import type { SimulationOptions } from '../simulation-options.ts'
import type { Trace } from '../trace.ts'
import type { ParkingLot } from './parking-lot.ts'

/** The world as its processes see it. */
export interface ProcessWorld {
  readonly options: SimulationOptions
  readonly plan: Plan
  readonly chance: Chance
  readonly trace: Trace
  readonly scheduler: Scheduler
  readonly faults: Faults
  readonly database: Database
  readonly broker: DurableBroker
  readonly parkingLot: ParkingLot
  readonly verdicts: Verdicts
  readonly deliveries: DeliveryJudge
  readonly order: OrderJudge
  readonly promises: PromiseJudge
  readonly stores: StoreJudge
  /** What a process has still to publish, which survives it. */
  outboxOf(plan: ProcessPlan): Intent[]
  requestsOf(plan: ProcessPlan): { count: number }
  /** A new process takes the place of one that has ended. */
  restart(process: { readonly plan: ProcessPlan; readonly name: string }): void
}

import { respond, type Bus } from '@waybill/core'
import { CountFree } from '../contracts/requests.ts'
import type { Db } from '../database/tables.ts'

/** What one branch has free, or why that is not known. */
export interface Availability {
  readonly branches: readonly { readonly owner_id: number; readonly units_free: number }[]
  /** Owners whose branch failed or did not answer in time. */
  readonly unknown: readonly number[]
}

const ANSWER_TIMEOUT_MS = 2_000

/** Each owner's branch is a service of its own, which knows its own stock alone. */
export async function openBranches(bus: Bus, db: Db): Promise<void> {
  for (const owner_id of await ownersOf(db)) {
    await bus.subscribe(branchOf(owner_id), [
      respond(CountFree, async ({ category }) => ({ owner_id, units_free: await unitsFree(db, owner_id, category) })),
    ])
  }
}

/** Asks all branches at once, and does without those that are late. */
export async function askBranches(bus: Bus, db: Db, category: string): Promise<Availability> {
  const owners = await ownersOf(db)
  const expect = owners.map(branchOf)
  const { replies } = await bus.gather(CountFree, { category }, { timeoutMs: ANSWER_TIMEOUT_MS, expect })
  const branches = replies.map(({ data }) => data).toSorted((one, other) => one.owner_id - other.owner_id)
  const known = new Set(branches.map(({ owner_id }) => owner_id))
  return { branches, unknown: owners.filter((owner) => !known.has(owner)) }
}

const branchOf = (ownerId: number) => `branch-${ownerId}`

async function ownersOf(db: Db): Promise<number[]> {
  const rows = await db.selectFrom('rentsport.equipment').select('owner_id').distinct().orderBy('owner_id').execute()
  return rows.map(({ owner_id }) => owner_id)
}

async function unitsFree(db: Db, ownerId: number, category: string): Promise<number> {
  const stock = db
    .selectFrom('rentsport.equipment')
    .select(['id', 'units'])
    .where('owner_id', '=', ownerId)
    .where('category', '=', category)
  const models = await stock.execute()
  if (models.length === 0) return 0
  const { in_hand } = await db
    .selectFrom('rentsport.rental')
    .select(({ fn }) => fn.countAll<string>().as('in_hand'))
    .where('equipment_id', 'in', stock.clearSelect().select('id'))
    .where('status', 'in', ['PENDING_PAYMENT', 'ACTIVE'])
    .executeTakeFirstOrThrow()
  return Math.max(0, models.reduce((sum, { units }) => sum + units, 0) - Number(in_hand))
}

import { ask } from './process/asking.ts'
import { stop } from './process/operating.ts'
import { settleContinuations } from './scheduler.ts'
import type { SimulationOptions } from './simulation-options.ts'
import { World } from './world.ts'

export interface SimulationResult {
  readonly seed: number
  /** Equal for equal runs. */
  readonly hash: string
  readonly steps: number
  /** Empty = all held. */
  readonly violations: readonly string[]
  /** Only if asked for. */
  readonly trace: readonly string[] | undefined
}

/** A scenario with faults that has not ended by then gets no more of them. */
const MOST_FAULTY_STEPS = 3_000
/** In which everything must come right once the faults have stopped: unknown types alone wait for ten minutes. */
const CALM_MS = 45 * 60_000
const MOST_CALM_STEPS = 30_000

/**
 * Runs one scenario: processes publish, ask, handle, are operated and die as the seed says; then the faults stop, and
 * all must come right; then everything stops, and nothing may be left.
 */
export async function simulate(seed: number, options: SimulationOptions = {}): Promise<SimulationResult> {
  const world = new World(seed, options)
  const onUnhandled = (error: unknown) => world.verdicts.add(`a rejection that nobody handled: ${String(error)}`)
  process.on('unhandledRejection', onUnhandled)
  try {
    await live(world)
  } catch (error) {
    world.verdicts.add(`thrown: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`)
  } finally {
    process.off('unhandledRejection', onUnhandled)
  }
  const { trace, verdicts, scheduler } = world
  return { seed, hash: trace.hash, steps: scheduler.steps, violations: verdicts.found, trace: trace.lines }
}

async function live(world: World): Promise<void> {
  const { scheduler, plan, faults, trace } = world
  world.start()
  await settleContinuations()
  while (scheduler.elapsedMs < plan.faultsForMs && scheduler.steps < MOST_FAULTY_STEPS) {
    if (!(await step(world))) return
    if (world.unfinished().next().done === true) break
  }
  faults.stop()
  trace.add('the faults stop')
  if (
    !(await until(
      world,
      () => world.unfinished().next().done === true,
      () => [...world.unfinished()],
    ))
  )
    return
  trace.add('all is done')
  await probe(world)
  await end(world)
}

/** Nothing is in the way now, so that what does not work has been broken by what came before. */
async function probe(world: World): Promise<void> {
  const asking = [...world.processes.values()].flatMap((process) =>
    Array.from({ length: world.plan.maxPending }, async () => {
      const code = await ask(process, 60_000)
      if (code !== undefined) world.verdicts.add(`${process.name} asked in quiet times and got ${code}`)
    }),
  )
  await finish(world, asking, 'answers in quiet times')
}

async function end(world: World): Promise<void> {
  const { verdicts } = world
  const processes = [...world.processes.values()]
  await finish(
    world,
    processes.map((process) => stop(process, 10_000)),
    'the end of each bus',
  )
  if (world.promises.open.length > 0) verdicts.add(`never settled: ${world.promises.open.join(', ')}`)
  const names = new Set(processes.map(({ name }) => name))
  const owed = world.deliveries.unsettled((client) => names.has(client))
  for (const { entry, client } of owed)
    verdicts.add(`no settlement for ${entry.message.id} at ${entry.service} of ${client}`)
}

async function finish(world: World, tasks: readonly Promise<unknown>[], what: string): Promise<void> {
  let open = tasks.length
  for (const task of tasks) {
    task.then(
      () => open--,
      (error: unknown) => world.verdicts.add(`${what}: ${String(error)}`),
    )
  }
  await settleContinuations()
  await until(
    world,
    () => open === 0,
    () => [`${open} of ${tasks.length}: ${what}`, ...world.promises.open],
  )
}

/** Goes on until it is so; whether it came to that. */
async function until(world: World, condition: () => boolean, why: () => readonly string[]): Promise<boolean> {
  const { scheduler, verdicts } = world
  const endMs = scheduler.elapsedMs + CALM_MS
  const endSteps = scheduler.steps + MOST_CALM_STEPS
  while (!condition()) {
    const stuck = scheduler.elapsedMs > endMs || scheduler.steps > endSteps
    if (verdicts.found.length > 0 || stuck || !(await step(world))) {
      if (verdicts.found.length === 0)
        verdicts.add(`stuck after ${scheduler.steps} steps: ${why().slice(0, 8).join('; ')}`)
      return false
    }
  }
  return verdicts.found.length === 0
}

async function step({ scheduler, verdicts }: World): Promise<boolean> {
  return verdicts.found.length === 0 && (await scheduler.step())
}

import { Double } from '../definitions.ts'
import type { SimulatedProcess } from './simulated-process.ts'

const ERRORS = new Set(['TIMEOUT', 'REMOTE', 'PUBLISH', 'CLOSED', 'OVERLOAD', 'CONNECTION', 'GIVEN_UP'])

/** Asks what the plan of its process says, now and then before the last answer is there. */
export async function askAll(process: SimulatedProcess): Promise<void> {
  const { world } = process
  const left = world.requestsOf(process.plan)
  while (left.count > 0) {
    await process.sleep(world.chance.between(0, 2_000))
    left.count--
    const asked = ask(process)
    if (world.chance.yes(0.3)) await asked
  }
}

/** The code of the error, or nothing if the right answer came. */
export async function ask(process: SimulatedProcess, timeoutMs?: number): Promise<string | undefined> {
  const { chance, promises, verdicts } = process.world
  const n = chance.between(0, 1_000_000)
  const giveUp = new AbortController()
  if (timeoutMs === undefined && chance.yes(0.1)) {
    void process.sleep(chance.between(0, 2_000)).then(() => {
      giveUp.abort(Object.assign(new Error('given up'), { code: 'GIVEN_UP' }))
    })
  }
  const options = { timeoutMs: timeoutMs ?? chance.between(500, 8_000), signal: giveUp.signal }
  try {
    const asked = process.bus.request(Double, { n }, options)
    const { twice } = await promises.watch(process, `${process.name} asks for 2 × ${n}`, asked)
    if (twice !== 2 * n) verdicts.add(`${process.name} asked for 2 × ${n} and was told ${twice}`)
    return undefined
  } catch (error) {
    const code = String((error as { code?: unknown }).code)
    if (!ERRORS.has(code)) verdicts.add(`${process.name} asked and got the error ${code}: ${String(error)}`)
    return code
  }
}

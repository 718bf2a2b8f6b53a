import type { Bus } from '../bus.ts'
import { UnsupportedError } from '../errors.ts'
import type { Transport } from '../transport.ts'

/** A bus on a client of its own. */
export function busOn(transport: Transport): Bus {
  throw new UnsupportedError(`no bus on "${transport.name}" yet`)
}

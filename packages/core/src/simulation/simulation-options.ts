import type { Transport } from '../transport.ts'

export interface SimulationOptions {
  readonly keepTrace?: boolean | undefined
  /** Puts something broken between broker and core, to see that it is found. */
  readonly breakTransport?: ((transport: Transport) => Transport) | undefined
}

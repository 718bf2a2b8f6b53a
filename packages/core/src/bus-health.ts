import type { Clock } from './ports.ts'
import { reasonOf } from './retry.ts'
import type { PartHealth, Transport } from './transport.ts'

/** What the bus itself refuses, and since when; nothing while it takes all. */
export interface Refusing {
  readonly sinceMs: number
  readonly reason: string
}

/** A carrier under the name that the bus's parts go by; `''` where there is only one. */
export interface NamedCarrier {
  readonly name: string
  readonly transport: Pick<Transport, 'name' | 'health'>
}

/** The bus's own part, then each carrier's under the carrier's name, then the services. Never rejects. */
export async function busHealth(
  carriers: readonly NamedCarrier[],
  services: readonly PartHealth[],
  refusing: readonly (Refusing | undefined)[],
  { startedMs, clock }: { readonly startedMs: number; readonly clock: Clock },
): Promise<readonly PartHealth[]> {
  const parts = await Promise.all(carriers.map((carrier) => carrierHealth(carrier, clock)))
  return [busPart(refusing, startedMs), ...parts.flat(), ...services]
}

function busPart(refusing: readonly (Refusing | undefined)[], startedMs: number): PartHealth {
  const known = refusing.filter((one) => one !== undefined)
  if (known.length === 0) return { part: 'bus', state: 'up', sinceMs: startedMs }
  return {
    part: 'bus',
    state: 'degraded',
    sinceMs: Math.min(...known.map(({ sinceMs }) => sinceMs)),
    reason: known.map(({ reason }) => reason).join('; '),
  }
}

async function carrierHealth({ name, transport }: NamedCarrier, clock: Clock): Promise<readonly PartHealth[]> {
  const named = (part: string) => (name === '' ? part : `${name}: ${part}`)
  try {
    return (await transport.health()).map((part) => ({ ...part, part: named(part.part) }))
  } catch (error) {
    // against its contract, but whoever asks for health wants an answer
    const reason = `its health is not known: ${reasonOf(error)}`
    return [{ part: named(transport.name), state: 'degraded', sinceMs: clock.nowMs(), reason }]
  }
}

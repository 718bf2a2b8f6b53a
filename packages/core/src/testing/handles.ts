import { sleep, systemPorts } from '../ports.ts'

/** What keeps the process alive, by kind: "Timeout" 1, "TCPSocketWrap" 2. */
export type Handles = ReadonlyMap<string, number>

/** @see https://nodejs.org/api/process.html#processgetactiveresourcesinfo */
export function openHandles(): Handles {
  const counts = new Map<string, number>()
  for (const kind of process.getActiveResourcesInfo()) counts.set(kind, (counts.get(kind) ?? 0) + 1)
  return counts
}

/** Waits until no more is open of any kind than there was before; what still is then, in words. */
export async function handlesLeft(before: Handles, timeoutMs: number): Promise<string | undefined> {
  const endMs = performance.now() + timeoutMs
  let left = moreThan(before)
  while (left !== undefined && performance.now() < endMs) {
    await sleep(systemPorts.timers, 25)
    left = moreThan(before)
  }
  return left
}

function moreThan(before: Handles): string | undefined {
  const more = [...openHandles()].filter(([kind, count]) => count > (before.get(kind) ?? 0))
  if (more.length === 0) return undefined
  return more.map(([kind, count]) => `${count - (before.get(kind) ?? 0)} ${kind}`).join(', ')
}

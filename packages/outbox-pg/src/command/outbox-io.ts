import { setTimeout as wait } from 'node:timers/promises'
import { UsageError, type CommandIo } from '@waybill/core/command'
import type { PgPool } from '../database.ts'

/** What a command of `waybill-outbox` is given, and where it speaks. */
export interface OutboxIo extends CommandIo {
  readonly env: Readonly<Record<string, string | undefined>>
  /** Somebody watches: the screen may be cleared. */
  readonly terminal?: boolean | undefined
}

/** The database that a command works on. */
export interface Place {
  readonly pool: PgPool
  readonly schema: string | undefined
  readonly json: boolean
}

/** What can't be undone is done on purpose, and somebody can say why. */
export function sure(
  what: string,
  { yes, reason }: { readonly yes?: boolean | undefined; readonly reason?: string | undefined },
): string {
  if (reason === undefined || reason.trim() === '') throw new UsageError(`${what} needs --reason TEXT`)
  if (yes !== true) throw new UsageError(`${what} can't be undone: give --yes`)
  return reason
}

/** Waits, but not longer than the user wants. */
export async function pause(ms: number, signal: AbortSignal): Promise<void> {
  await wait(ms, undefined, { signal }).catch(() => undefined)
}

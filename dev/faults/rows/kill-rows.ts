/** A row of the fault matrix in which one process is killed at one point, and started again. */
export interface KillRow {
  readonly row: number
  readonly what: string
  readonly part: 'producer' | 'relay' | 'consumer'
  readonly point: string
  /** The point is passed at most this often before the kill; the seed says how often. */
  readonly within: number
  readonly window: number
}

const OPERATIONS_PASSED = 30

export const KILL_ROWS: readonly KillRow[] = [
  { row: 1, what: 'producer killed before COMMIT', part: 'producer', point: 'in-transaction' },
  { row: 2, what: 'producer killed after COMMIT', part: 'producer', point: 'after-commit' },
  { row: 4, what: 'relay killed before it publishes', part: 'relay', point: 'before-publish', within: 3 },
  { row: 5, what: 'relay killed between confirm and checkpoint', part: 'relay', point: 'after-confirm', window: 1 },
  { row: 6, what: 'relay killed in the middle of a batch', part: 'relay', point: 'after-confirm' },
  { row: 8, what: 'consumer killed before the inbox', part: 'consumer', point: 'before-inbox' },
  { row: 9, what: 'consumer killed between effect and COMMIT', part: 'consumer', point: 'after-effect' },
  { row: 10, what: 'consumer killed between COMMIT and ack', part: 'consumer', point: 'after-inbox' },
].map((row) => ({ within: OPERATIONS_PASSED, window: 100, ...row }) as KillRow)

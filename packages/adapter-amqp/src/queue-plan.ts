import type { ShardSet } from './shards.ts'

/** What a subscription reads: which queues, and what is bound to them. */
export interface QueuePlan {
  readonly queue: string
  /** Any service may read it beside its own, so its form depends on none of them. */
  readonly shared: boolean
  /** Whose dead letters the broker itself would make of it: the service's, those of a shared queue its own. */
  readonly owner: string
  readonly bindings: readonly { readonly exchange: string; readonly patterns: readonly string[] }[]
  /** What it is a part of; then the bindings are those of the whole. */
  readonly shards?: ShardSet | undefined
}

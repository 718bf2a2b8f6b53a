/** What the broker does by itself; absent = it does not. On a Subscription: what these very sources give. */
export interface Capabilities {
  /** What a fulfilled publish means: safe on disk, or held in memory. */
  readonly confirm?: 'disk' | 'memory' | undefined
  /** When a message of a key fails, each later one already handed over fails with it. */
  readonly orderedPublish?: boolean | undefined
  readonly atomicPublish?: boolean | undefined
  /** Tells when nobody is bound. */
  readonly unroutable?: boolean | undefined
  readonly persistent?: boolean | undefined
  readonly order?: 'single' | 'key' | 'total' | undefined
  readonly services?: boolean | undefined
  readonly broadcast?: boolean | undefined
  readonly replay?: boolean | undefined
  readonly attempts?: 'exact' | 'flag' | undefined
  readonly requeue?: 'copy' | 'native' | undefined
  readonly maxDelayMs?: number | undefined
  /** How long a delivery may stay open. */
  readonly maxHoldMs?: number | undefined
  readonly deadLetter?: boolean | undefined
  readonly ackBefore?: boolean | undefined
  readonly schedule?: boolean | undefined
  readonly expiry?: boolean | undefined
  readonly priority?: boolean | undefined
  readonly nullBody?: boolean | undefined
  readonly binaryHeaders?: boolean | undefined
  readonly maxBodyBytes?: number | undefined
  readonly maxHeaderBytes?: number | undefined
}

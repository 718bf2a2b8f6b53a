import { backlog } from './backlog.ts'
import { badBytes } from './bad-bytes.ts'
import { checkpointRefused } from './checkpoint-refused.ts'
import { commitConflicts } from './commit-conflicts.ts'
import { commitOrder } from './commit-order.ts'
import { consumerPoison } from './consumer-poison.ts'
import { endedSessions } from './ended-sessions.ts'
import { failover } from './failover.ts'
import { foreign } from './foreign.ts'
import { frozenDatabase } from './frozen-database.ts'
import { longSnapshot } from './long-snapshot.ts'
import { longWriter } from './long-writer.ts'
import { manyRelays } from './many-relays.ts'
import { oversize } from './oversize.ts'
import { refusedRows } from './refused-rows.ts'
import { restarts } from './restarts.ts'
import { sameId } from './same-id.ts'
import { sameKey } from './same-key.ts'
import { shortRetention } from './short-retention.ts'
import { smallPool } from './small-pool.ts'
import { pausedConsumer } from './paused-consumer.ts'
import { fullDisk } from './full-disk.ts'
import { fullLogDisk } from './full-log-disk.ts'
import { rollingMigration } from './rolling-migration.ts'
import { clockSkew } from './clock-skew.ts'
import { silentListener } from './silent-listener.ts'
import type { Scenario } from './scenario.ts'
import { unknownCommit } from './unknown-commit.ts'
import { zombieRelay } from './zombie-relay.ts'

/** Rows that are more than one kill at one point. */
export const SCENARIOS: readonly Scenario[] = [
  sameId,
  manyRelays,
  zombieRelay,
  longWriter,
  longSnapshot,
  commitOrder,
  backlog,
  refusedRows,
  consumerPoison,
  badBytes,
  oversize,
  foreign,
  failover,
  sameKey,
  shortRetention,
  unknownCommit,
  checkpointRefused,
  smallPool,
  pausedConsumer,
  fullDisk,
  fullLogDisk,
  rollingMigration,
  clockSkew,
  commitConflicts,
  endedSessions,
  restarts,
  silentListener,
  frozenDatabase,
]

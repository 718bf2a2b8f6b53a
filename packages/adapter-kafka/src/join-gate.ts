import { PartitionAssigners, type PartitionAssigner } from 'kafkajs'

interface Coordinators {
  findGroupCoordinator?: ((...request: unknown[]) => Promise<unknown>) | undefined
}

/**
 * An assigner that lets `beforeJoin` finish before the consumer joins its group again. kafkajs rejoins at once when a
 * rebalance begins and has no hook for partitions about to be taken away; but an assigner is handed the consumer's
 * cluster, and looking up the coordinator is the first thing that joining does. Without that method nothing waits.
 */
export function gatedAssigner(beforeJoin: () => Promise<void>): PartitionAssigner {
  return (config) => {
    const cluster = config.cluster as unknown as Coordinators
    const find = cluster.findGroupCoordinator?.bind(cluster)
    if (find) {
      cluster.findGroupCoordinator = async (...request) => {
        await beforeJoin()
        return find(...request)
      }
    }
    return PartitionAssigners.roundRobin(config)
  }
}

import { describe, it } from 'vitest'
import { systemPorts } from '../../ports.ts'
import { adapterSuite } from '../../testing/index.ts'
import { Chance } from '../chance.ts'
import { Faults, NO_FAULTS } from '../faults.ts'
import { BrokerClient } from './broker-client.ts'
import type { BrokerProfile } from './broker-context.ts'
import { DurableBroker } from './durable-broker.ts'
import { NOBODY } from './observer.ts'
import { ABLE } from './profiles.ts'

// The simulated broker judges the core, so it is judged first: in real time and without faults it is an adapter as any.
const profiles: Readonly<Record<string, BrokerProfile>> = {
  'the able simulated broker': ABLE,
  'the plain simulated broker': {
    partitions: 1,
    pausable: false,
    replyAddresses: false,
    capabilities: {
      ...ABLE.capabilities,
      orderedPublish: undefined,
      attempts: undefined,
      requeue: 'copy',
      deadLetter: undefined,
    },
  },
}

for (const [name, profile] of Object.entries(profiles)) {
  let clients = 0
  const faults = new Faults(new Chance(1, 'conformance'), NO_FAULTS)
  const broker = new DurableBroker({ ports: systemPorts, faults, observer: NOBODY, profile })
  adapterSuite({
    name,
    create: () => new BrokerClient(`client ${++clients}`, broker),
    volume: 1_000,
    concurrent: 4,
    runner: { describe, it },
    hooks: {
      disconnect: (transport) => {
        ;(transport as BrokerClient).disconnect()
        return Promise.resolve()
      },
    },
  })
}

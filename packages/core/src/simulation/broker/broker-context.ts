import type { Capabilities } from '../../capabilities.ts'
import type { Ports } from '../../ports.ts'
import type { Faults } from '../faults.ts'
import type { BrokerObserver } from './observer.ts'

/** What kind of broker is simulated: the core has other work to do for each. */
export interface BrokerProfile {
  readonly capabilities: Capabilities
  /** Parts of an ordered service that go to one instance each; 1 = a single active consumer. */
  readonly partitions: number
  readonly pausable: boolean
  readonly replyAddresses: boolean
}

/** What the parts of the simulated broker share. */
export interface BrokerContext {
  readonly ports: Pick<Ports, 'clock' | 'timers'>
  readonly faults: Faults
  readonly observer: BrokerObserver
  readonly profile: BrokerProfile
}

import type { Transport } from '../transport.ts'
import type { Destination } from '../wire-message.ts'
import type { FaultProxy } from './fault-proxy.ts'

/** The broker of a test, one that nobody else uses. Its address and its data stay the same through all of these. */
export interface BrokerHooks {
  /** Ends it as its operator would, if it runs, and starts it again; fulfilled when it takes connections. */
  restart(): Promise<void>
  /** `kill -9` of all its processes; `restart` brings it back. */
  kill(): Promise<void>
  /** All its processes stand still (SIGSTOP). */
  pause(): void | Promise<void>
  /** Ends `pause`. */
  resume(): void | Promise<void>
}

/** A broker that takes no more messages for a while, as when its memory or disk is full. */
export interface AlarmHooks {
  block(): Promise<void>
  unblock(): Promise<void>
}

/** Changes what the broker lets in. */
export interface CredentialHooks {
  /** Closes all connections, and refuses the user and password that clients have. */
  revoke(): Promise<void>
  /** Takes them again. */
  restore(): Promise<void>
}

/** A client whose connection goes through a proxy of its own. */
export interface ProxiedClient {
  readonly transport: Transport
  readonly proxy: FaultProxy
  /** How long this client may take to see that nothing comes any more: two heartbeats and a second. */
  readonly detectsWithinMs: number
  /** Connections that it may hold at once. */
  readonly maxConnections: number
}

/** How a case starts a consumer as a process that it may kill: a script that calls `runConsumer`. */
export interface ProcessHooks {
  readonly script: string | URL
  readonly environment?: Readonly<Record<string, string | undefined>> | undefined
  /** When another may have what it left open: its lease, or two heartbeats. */
  readonly takeoverMs: number
  /** Options of node for it, such as `--import`. */
  readonly execArgv?: readonly string[] | undefined
}

/** What only a test with a broker of its own can give; the level "fault-certified" needs them all. */
export interface FaultHooks {
  readonly broker?: BrokerHooks | undefined
  readonly alarm?: AlarmHooks | undefined
  readonly credentials?: CredentialHooks | undefined
  readonly process?: ProcessHooks | undefined
  /** Makes a client behind a proxy of its own; the suite disposes of both. */
  proxied?(): Promise<ProxiedClient>
  /** The broker ends channels or sessions of all clients; where it knows none within a connection, the connections. */
  closeChannels?(): Promise<void>
  /** Takes the source away from under its service, as an operator who deletes a queue or topic. */
  deleteSource?(source: Destination, service: string): Promise<void>
}

import type { CutOff } from './proxy.ts'

/** A real server of one's own, for tests and for work by hand. Loopback only; its data is deleted on dispose. */
export interface Server extends AsyncDisposable {
  /** What clients are given; the same after a restart. */
  readonly url: string
  /** The server's own process, another one after each restart. */
  readonly pid: number
  /** Kept after the server is gone. */
  readonly logFile: string
  /** `kill -9` of all its processes at once; the data stays. */
  kill(): Promise<void>
  /** Ends it as its operator would; the data stays. */
  stop(): Promise<void>
  /** All its processes stand still, connections stay open: what a stalled disk or an overloaded host looks like. */
  freeze(): void
  /** Ends `freeze`. */
  resume(): void
  /** Starts it again on the same data and port, ending it first (as `stop`) when it runs; ready when this resolves. */
  restart(): Promise<void>
  /**
   * Cuts the line to it while it runs on.
   * @throws {Error} when it was started with `direct: true`
   */
  cutOff(how?: CutOff): Promise<void>
  /** Ends `cutOff`; connections of before stay lost. */
  reconnect(): Promise<void>
}

export interface ServerOptions {
  /**
   * Clients reach the server itself instead of a line that can be cut: faster, and nothing runs in this process.
   * @default false
   */
  readonly direct?: boolean | undefined
}

import type { Bus } from '../bus.ts'
import { createBus } from '../create-bus.ts'
import type { DataOut, Definition } from '../definition.ts'
import { decode, messageInfo, type MessageInfo } from '../message.ts'
import { memory } from '../memory/index.ts'
import type { Transport } from '../transport.ts'
import { matches, type Match } from './harness-match.ts'
import { HarnessRecord, type Seen } from './harness-record.ts'
import { resolveHarnessOptions, type HarnessOptions } from './harness-options.ts'
import { untilFound } from './harness-wait.ts'
import { manualTime, type ManualTime } from './manual-time.ts'

/** A message that an assertion found, its data read by the definition. */
export interface FoundMessage<D extends Definition> {
  readonly data: DataOut<D>
  readonly message: MessageInfo
}

/** A bus over the memory transport on a clock of its own, with assertions that wait. */
export interface Harness extends AsyncDisposable {
  readonly bus: Bus
  /** For more buses on the same carrier: `createBus({ transport: shared(harness.transport), ports: harness.clock.ports, … })`. */
  readonly transport: Transport
  /** Stands still until `await harness.clock.advance(ms)`: back-off, time-outs and expiry follow it. */
  readonly clock: ManualTime
  /**
   * Waits until a message of the definition that matches was taken by the carrier, and gives it; each is given once, the
   * oldest first, so that asking again asks for another.
   * @throws {AssertionError} none within `timeoutMs`; the text names what was published
   */
  published<D extends Definition>(definition: D, match?: Match<D>): Promise<FoundMessage<D>>
  /**
   * Waits until the service has handled a message of the definition that matches, and gives it; each is given once.
   * @throws {AssertionError} none within `timeoutMs`; the text names what was handled, and what became of the rest
   */
  handled<D extends Definition>(service: string, definition: D, match?: Match<D>): Promise<FoundMessage<D>>
  /**
   * Waits until each message is settled and nothing is on its way.
   * @throws {AssertionError} not within `timeoutMs`; the text names what is open, and how far the next timer is
   */
  settled(): Promise<void>
}

/**
 * A test's own bus: memory transport, a clock that stands until it is moved, and assertions that wait for events instead
 * of sleeping. It works with any test runner.
 * @example
 * await using harness = createHarness()
 * await harness.bus.subscribe('billing', routes)
 * await harness.bus.publish(RentalBooked, rental)
 * await harness.handled('billing', RentalBooked, { rentalId: 'r-1' })
 * @throws {ConfigError} for an option out of bounds
 */
export function createHarness(options: HarnessOptions = {}): Harness {
  const { timeoutMs, startMs, memoryOptions, busOptions } = resolveHarnessOptions(options)
  const clock = manualTime(startMs)
  const record = new HarnessRecord(memory({ ...memoryOptions, ports: clock.ports }), clock)
  const bus = createBus({ ...busOptions, transport: record.transport, ports: clock.ports })
  const given = new Set<object>()

  /** The first that fits and was not given yet. */
  const take = async <D extends Definition>(all: readonly Seen[], definition: D, match: Match<D> | undefined) => {
    for (const seen of all) {
      const { message } = seen
      if (message.type !== definition.wireType || given.has(seen)) continue
      const data = await decode(definition, message)
      if (!matches(match, data) || given.has(seen)) continue
      given.add(seen)
      return { data, message: messageInfo(definition, message) }
    }
    return undefined
  }
  const wait = { record, clock, timeoutMs }

  return Object.freeze({
    bus,
    transport: record.transport,
    clock,
    published: <D extends Definition>(definition: D, match?: Match<D>) =>
      untilFound(
        { ...wait, what: `"${definition.wireType}"${match ? ' that matches' : ''} to be published` },
        () => take(record.published, definition, match),
        () => record.describePublished(),
      ),
    handled: <D extends Definition>(service: string, definition: D, match?: Match<D>) =>
      untilFound(
        { ...wait, what: `"${definition.wireType}"${match ? ' that matches' : ''} to be handled by "${service}"` },
        () => take(record.handledBy(service), definition, match),
        () => record.describeHandled(service),
      ),
    settled: async () => {
      await untilFound(
        { ...wait, what: 'all messages to be settled' },
        async () => {
          await clock.settle()
          return (await record.openCount()) === 0 ? true : undefined
        },
        () => record.describeOpen(),
      )
    },
    [Symbol.asyncDispose]: async () => {
      // what waits for the clock is not waited for: nobody moves it any more
      const stopped = bus.stop({ drainTimeoutMs: 0 })
      await clock.advance(0)
      await stopped
    },
  })
}

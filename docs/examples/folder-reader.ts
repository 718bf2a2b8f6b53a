import { watch } from 'node:fs'
import { readdir, readFile, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { deserialize } from 'node:v8'
import type { Capabilities, Delivery, Settlement, SubscribeOptions, Subscription, WireMessage } from '@waybill/core'

// #region example
export interface Stored {
  readonly message: WireMessage
  readonly attempt: number
}

interface ReaderSetup {
  readonly path: string
  readonly capabilities: Capabilities
  readonly options: SubscribeOptions
  readonly deliver: (delivery: Delivery) => Promise<Settlement>
  readonly putBack: (stored: Stored, delayMs: number) => Promise<void>
}

/** Delivers the files of one folder; several readers may share it. */
export function readFolder({ path, capabilities, options, deliver, putBack }: ReaderSetup): Subscription {
  const recalled = new AbortController()
  const lost = new AbortController()
  /** The claimed files, with the size of their bodies. */
  const open = new Map<string, number>()
  let openBytes = 0
  let looking = Promise.resolve()
  let queued = false
  let whenEmpty = () => {}
  let stopping: Promise<void> | undefined
  let end: (error: Error | undefined) => void
  const ended = new Promise<Error | undefined>((resolve) => (end = resolve))

  // a folder that can't be read any more will not heal by itself: the core is told, and says so in its health
  const giveUp = (error: unknown) => {
    end(error instanceof Error ? error : new Error(String(error)))
    void stop()
  }

  /** Copy first, then remove: a crash between the two makes a second copy, never none. */
  async function settle(claimed: string, settlement: Settlement): Promise<void> {
    const bytes = open.get(claimed)
    if (bytes === undefined) return
    open.delete(claimed)
    openBytes -= bytes
    if (settlement.outcome !== 'ack') {
      // from the file, because a handler may have changed what it was given
      const { message, attempt } = deserialize(await readFile(claimed)) as Stored
      const delayMs = settlement.outcome === 'requeue' ? settlement.delayMs : 0
      await putBack({ message, attempt: attempt + 1 }, delayMs)
    }
    await rm(claimed, { force: true })
    if (open.size === 0) whenEmpty()
    look()
  }

  async function take(name: string): Promise<void> {
    const claimed = join(path, `open-${name}`)
    // whoever renames it first has it
    const mine = await rename(join(path, name), claimed).then(
      () => true,
      () => false,
    )
    if (!mine) return
    const { message, attempt } = deserialize(await readFile(claimed)) as Stored
    const bytes = message.body?.byteLength ?? 0
    open.set(claimed, bytes)
    openBytes += bytes
    const headers = Object.assign(Object.create(null) as Record<string, string>, message.headers)
    deliver({ message: { ...message, headers }, attempt, recalled: recalled.signal, signal: lost.signal })
      .catch((): Settlement => ({ outcome: 'release' }))
      .then((settlement) => settle(claimed, settlement))
      .catch(giveUp)
  }

  async function lookOnce(): Promise<void> {
    queued = false
    const now = `${String(Date.now()).padStart(15, '0')}~`
    for (const name of (await readdir(path)).sort()) {
      if (recalled.signal.aborted || open.size >= options.maxOpen || openBytes >= options.maxOpenBytes) return
      if (/^\d/.test(name) && name <= now) await take(name)
    }
  }

  function look(): void {
    if (queued || recalled.signal.aborted) return
    queued = true
    looking = looking.then(lookOnce).catch(giveUp)
  }

  const watcher = watch(path, look)
  watcher.on('error', giveUp)
  // what was requeued becomes due without a change in the folder
  const timer = setInterval(look, 50)
  look()

  async function drain(drainTimeoutMs: number): Promise<void> {
    recalled.abort()
    watcher.close()
    clearInterval(timer)
    await looking
    if (open.size > 0) {
      const late = setTimeout(() => whenEmpty(), drainTimeoutMs)
      await new Promise<void>((resolve) => (whenEmpty = resolve))
      clearTimeout(late)
    }
    lost.abort()
    await Promise.allSettled([...open.keys()].map((claimed) => settle(claimed, { outcome: 'release' })))
    end(undefined)
  }

  const stop: Subscription['stop'] = ({ drainTimeoutMs = 10_000 } = {}) => (stopping ??= drain(drainTimeoutMs))
  return { capabilities, ended, stop, [Symbol.asyncDispose]: () => stop() }
}
// #endregion

import { randomUUID } from 'node:crypto'
import { mkdir, readdir, rename, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { serialize } from 'node:v8'
import { ClosedError, ConfigError, PublishError, UnsupportedError } from '@waybill/core'
import type { Capabilities, Destination, Subscription, Transport, WireMessage } from '@waybill/core'
import { readFolder, type Stored } from './folder-reader.ts'

// #region example
const capabilities: Capabilities = Object.freeze({
  confirm: 'memory',
  persistent: true,
  services: true,
  unroutable: true,
  attempts: 'exact',
  requeue: 'native',
  nullBody: true,
  binaryHeaders: true,
})

/** Names of files may mean the same in upper and lower case; hexadecimal can not. */
function fileName(name: string): string {
  const hex = Buffer.from(name).toString('hex')
  if (hex.length > 240) throw new ConfigError(`the name "${name.slice(0, 40)}…" is over the 120 bytes of a file's name`)
  return hex
}

/** Messages as files: a folder for each service, a marker for each source that it reads. */
export function folder(root: string): Transport {
  const subscriptions = new Set<Subscription>()
  const sinceMs = Date.now()
  let closed = false
  const closedError = (what: string) => new ClosedError(`${what} the folder: it is disposed, make another`)
  let sequence = 0

  const readers = (kind: string, name: string) => join(root, 'readers', `${kind}-${fileName(name)}`)
  const intake = (service: string) => join(root, 'intake', fileName(service))

  async function store(service: string, stored: Stored, delayMs = 0): Promise<void> {
    const due = String(Date.now() + delayMs).padStart(15, '0')
    const name = `${due}-${String(sequence++).padStart(9, '0')}-${randomUUID()}`
    // written aside and renamed: a reader never sees half a file
    await writeFile(join(intake(service), `writing-${name}`), serialize(stored))
    await rename(join(intake(service), `writing-${name}`), join(intake(service), name))
  }

  async function servicesOf({ kind, name }: Destination): Promise<string[]> {
    // the intake of one service alone is there once it was declared
    if (kind === 'service')
      return await stat(intake(name)).then(
        () => [name],
        () => [],
      )
    const found = await readdir(readers(kind, name)).catch((): string[] => [])
    return found.map((service) => Buffer.from(service, 'hex').toString())
  }

  async function publish(message: WireMessage, signal?: AbortSignal): Promise<void> {
    if (closed) throw closedError('publish to')
    signal?.throwIfAborted()
    const { kind, name } = message.destination
    const services = await servicesOf(message.destination)
    if (services.length === 0 && (kind !== 'topic' || message.mustRoute)) {
      const scope = kind === 'reply' ? 'message' : 'destination'
      const text = `publish to ${kind} "${name}": nobody reads it, subscribe a service first`
      throw new PublishError(text, { scope, retryable: kind !== 'reply' })
    }
    const receivers = kind === 'topic' ? services : services.slice(0, 1)
    await Promise.all(receivers.map((service) => store(service, { message, attempt: 1 })))
  }

  return {
    name: 'folder',
    capabilities,
    publish: (messages, options) => messages.map((message) => publish(message, options?.signal)),

    async declare({ subscriptions: services }) {
      if (closed) throw closedError('declare in')
      for (const { service, sources } of services) {
        await mkdir(intake(service), { recursive: true })
        for (const { kind, name } of sources) {
          await mkdir(readers(kind, name), { recursive: true })
          await writeFile(join(readers(kind, name), fileName(service)), '')
        }
      }
    },

    async subscribe(options, deliver) {
      if (closed) throw closedError('subscribe to')
      if (options.mode !== 'compete') throw new UnsupportedError(`the folder does not know the mode ${options.mode}`)
      await this.declare!({ destinations: [], subscriptions: [options] })
      const path = intake(options.service)
      const putBack = (stored: Stored, delayMs: number) => store(options.service, stored, delayMs)
      const reader = readFolder({ path, capabilities, options, deliver, putBack })
      subscriptions.add(reader)
      return reader
    },

    async health() {
      const reason = closed ? 'disposed' : await stat(root).then(() => undefined, String)
      return [{ part: `folder ${root}`, state: reason === undefined ? 'up' : 'down', sinceMs, reason }]
    },

    async [Symbol.asyncDispose]() {
      closed = true
      await Promise.all([...subscriptions].map((subscription) => subscription.stop()))
    },
  }
}
// #endregion

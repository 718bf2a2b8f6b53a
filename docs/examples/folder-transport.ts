import { randomUUID } from 'node:crypto'
import { mkdir, readdir, rename, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { serialize } from 'node:v8'
import { ClosedError, PublishError, UnsupportedError } from '@waybill/core'
import type { Capabilities, Subscription, Transport, WireMessage } from '@waybill/core'
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

/** Messages as files: a folder for each service, a marker for each source that it reads. */
export function folder(root: string): Transport {
  const subscriptions = new Set<Subscription>()
  const sinceMs = Date.now()
  let closed = false
  let sequence = 0

  // names of files may mean the same in upper and lower case; hexadecimal can not
  const readers = (kind: string, name: string) => join(root, 'readers', `${kind}-${Buffer.from(name).toString('hex')}`)
  const intake = (service: string) => join(root, 'intake', Buffer.from(service).toString('hex'))

  async function store(service: string, stored: Stored, delayMs = 0): Promise<void> {
    const due = String(Date.now() + delayMs).padStart(15, '0')
    const name = `${due}-${String(sequence++).padStart(9, '0')}-${randomUUID()}`
    // written aside and renamed: a reader never sees half a file
    await writeFile(join(intake(service), `writing-${name}`), serialize(stored))
    await rename(join(intake(service), `writing-${name}`), join(intake(service), name))
  }

  async function publish(message: WireMessage): Promise<void> {
    if (closed) throw new ClosedError('publish to the folder: it is disposed, make another')
    const { kind, name } = message.destination
    const found = await readdir(readers(kind, name)).catch((): string[] => [])
    const services = found.map((service) => Buffer.from(service, 'hex').toString())
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
    publish: (messages) => messages.map((message) => publish(message)),

    async declare({ subscriptions: services }) {
      for (const { service, sources } of services) {
        await mkdir(intake(service), { recursive: true })
        for (const { kind, name } of sources) {
          await mkdir(readers(kind, name), { recursive: true })
          await writeFile(join(readers(kind, name), Buffer.from(service).toString('hex')), '')
        }
      }
    },

    async subscribe(options, deliver) {
      if (closed) throw new ClosedError('subscribe to the folder: it is disposed, make another')
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

import { PublishError, type CallOptions, type Parked, type ParkedMessage } from '@waybill/core'
import type { KafkaMessage } from 'kafkajs'
import type { Connection } from './connection.ts'
import { deadLetterNeed, ORIGIN } from './dead-letters.ts'
import { readLog } from './log-reader.ts'
import type { KafkaPublisher } from './publisher.ts'
import { deadLetterService, deadLetterTopic, intakeTopic, topicOf } from './topic-names.ts'
import { fromRecord, headerOf, withoutNotes } from './wire.ts'

/** A record without a body in the same topic that strikes out an earlier one, since single records can't be deleted. */
const STRUCK = 'waybill-struck'
const REASON = 'waybill-reason'
/** The most that one look keeps in memory; the list goes on with another look. */
const PAGE = 200

interface Letter {
  readonly handle: string
  readonly service: string
  readonly record: KafkaMessage
}

/** Dead letters as a list: they stay in their topic, and what was replayed or discarded is struck out there. */
export class ParkedLetters implements Parked {
  readonly #connection: Connection
  readonly #publisher: KafkaPublisher

  constructor(connection: Connection, publisher: KafkaPublisher) {
    this.#connection = connection
    this.#publisher = publisher
  }

  async *list(filter: Parameters<Parked['list']>[0] = {}, options?: CallOptions): AsyncGenerator<ParkedMessage> {
    for (const service of await this.#services(filter.service)) {
      const struck = await this.#struck(service, options)
      for (let page = PAGE, after: string | undefined; page === PAGE;) {
        const letters = await this.#read(service, PAGE, after, (handle) => !struck.has(handle), options)
        for (const letter of letters) {
          const parked = parkedOf(letter)
          if (filter.type !== undefined && filter.type !== parked.message.type) continue
          if (filter.orderingKey !== undefined && filter.orderingKey !== parked.message.orderingKey) continue
          yield parked
        }
        page = letters.length
        after = letters.at(-1)?.handle
      }
    }
  }

  replay(handles: readonly string[], options?: CallOptions): readonly Promise<void>[] {
    return this.#each(handles, options, async ({ handle, service, record }) => {
      const need = { topic: intakeTopic(service), partitions: 1 }
      await this.#publisher.publishRecord(need, withoutNotes(record), options)
      await this.#strike(service, handle, 'replayed', options)
    })
  }

  discard(handles: readonly string[], reason: string, options?: CallOptions): readonly Promise<void>[] {
    return this.#each(handles, options, ({ handle, service }) => this.#strike(service, handle, reason, options))
  }

  /** One after another, in the order given; what is not there rejects alone. */
  #each(
    handles: readonly string[],
    options: CallOptions | undefined,
    work: (letter: Letter) => Promise<void>,
  ): readonly Promise<void>[] {
    const found = this.#find(handles, options)
    let before: Promise<unknown> = found
    return handles.map((handle) => {
      const done = before.then(async () => {
        const letter = (await found).get(handle)
        if (letter === undefined) {
          throw new PublishError(`nothing is parked under "${handle}": list again`, { retryable: false })
        }
        await work(letter)
      })
      before = done.catch(() => {})
      return done
    })
  }

  async #find(handles: readonly string[], options: CallOptions | undefined): Promise<Map<string, Letter>> {
    const wanted = new Set(handles)
    const found = new Map<string, Letter>()
    const known = new Set(await this.#services(undefined))
    for (const service of new Set(handles.map(serviceOf))) {
      if (!known.has(service)) continue
      const struck = await this.#struck(service, options)
      const isWanted = (handle: string) => wanted.has(handle) && !struck.has(handle)
      for (const letter of await this.#read(service, wanted.size, undefined, isWanted, options)) {
        found.set(letter.handle, letter)
      }
    }
    return found
  }

  async #services(service: string | undefined): Promise<string[]> {
    const topics = await this.#connection.admin('list of topics', (admin) => admin.listTopics())
    const services = topics.map(deadLetterService).filter((name) => name !== undefined)
    return service === undefined ? services.sort() : services.filter((name) => name === service)
  }

  async #struck(service: string, options: CallOptions | undefined): Promise<Set<string>> {
    const struck = new Set<string>()
    await this.#look(service, options, (record) => {
      const handle = headerOf(record, STRUCK)
      if (handle !== undefined) struck.add(handle)
      return true
    })
    return struck
  }

  async #read(
    service: string,
    most: number,
    after: string | undefined,
    isWanted: (handle: string) => boolean,
    options: CallOptions | undefined,
  ): Promise<Letter[]> {
    const letters: Letter[] = []
    let passed = after === undefined
    await this.#look(service, options, (record, partition) => {
      const handle = `${service}/${partition}/${record.offset}`
      if (passed && letters.length < most && headerOf(record, STRUCK) === undefined && isWanted(handle)) {
        letters.push({ handle, service, record })
      }
      if (handle === after) passed = true
      return letters.length < most
    })
    return letters
  }

  #look(
    service: string,
    options: CallOptions | undefined,
    visit: (record: KafkaMessage, partition: number) => boolean,
  ) {
    return readLog(this.#connection, deadLetterTopic(service), visit, options)
  }

  #strike(service: string, handle: string, reason: string, options: CallOptions | undefined): Promise<void> {
    const headers = { [STRUCK]: Buffer.from(handle), [REASON]: Buffer.from(reason.slice(0, 1_000)) }
    return this.#publisher.publishRecord(deadLetterNeed(service), { key: null, value: null, headers }, options)
  }
}

function parkedOf({ handle, service, record }: Letter): ParkedMessage {
  const [name = deadLetterTopic(service)] = headerOf(record, ORIGIN)?.split('/') ?? []
  const kind = name === topicOf({ kind: 'service', name: service }) ? 'service' : 'topic'
  return {
    handle,
    service,
    reason: headerOf(record, REASON) ?? '',
    attempts: Number(headerOf(record, 'waybill-failures') ?? 1) || 1,
    parkedAtMs: Number(record.timestamp),
    message: fromRecord(record, { kind, name: kind === 'service' ? service : name }),
  }
}

function serviceOf(handle: string): string {
  return handle.split('/', 1)[0]!
}

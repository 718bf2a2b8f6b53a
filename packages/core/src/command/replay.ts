import { ConfigError } from '../errors.ts'
import type { Parked } from '../parked.ts'
import { UsageError, type CommandIo } from './command-io.ts'
import { textOf, valueOf, type CommandConfig } from './config.ts'
import { lineOf, outlineOf, pageOf, wholeOf } from './parked-text.ts'
import { jsonLine, printable } from './terminal-text.ts'

export const ACTIONS = ['list', 'show', 'replay', 'discard'] as const
export type Action = (typeof ACTIONS)[number]

/** Where it is kept, and what closes that. */
export type ParkedPlace = Pick<CommandConfig, 'parked' | 'bus' | 'transport' | 'close'>

export interface Order {
  readonly action: Action
  readonly handles: readonly string[]
  readonly filter: NonNullable<Parameters<Parked['list']>[0]>
  readonly all: boolean
  readonly limit: number
  readonly reason: string | undefined
  readonly yes: boolean
  readonly json: boolean
}

/** Handed over together; after one of them failed nothing more is, so that what follows it keeps its place. */
const BATCH = 100

/** `waybill replay`: lists, shows, replays or discards what was given up on. */
export async function replay(load: () => Promise<ParkedPlace>, order: Order, io: CommandIo): Promise<number> {
  check(order)
  const config = await load()
  const { parked, close } = await open(config)
  try {
    if (order.action === 'list') return await list(parked, order, io)
    if (order.action === 'show') return await show(parked, order, io)
    return await act(parked, order, io)
  } finally {
    await close()
    await config.close?.()
  }
}

/** Before anything is opened: a wrong call touches nothing. */
function check({ action, handles, all, filter, reason, yes }: Order): void {
  if (action === 'list' && handles.length > 0) throw new UsageError('list takes filters, and no handles')
  if (action === 'show' && handles.length !== 1) throw new UsageError('show takes one handle')
  const filtered = Object.values(filter).some((value) => value !== undefined)
  if (action === 'list' || action === 'show') return
  if (all === handles.length > 0) throw new UsageError(`${action} takes handles, or --all with filters`)
  if (!all && filtered) throw new UsageError('filters go with --all')
  if (action !== 'discard') return
  if (reason === undefined || reason.trim() === '') throw new UsageError('discard needs --reason TEXT')
  if (!yes) throw new UsageError('discarded messages do not come back: give --yes')
}

async function open(config: ParkedPlace): Promise<{ readonly parked: Parked; close(): Promise<void> }> {
  if (config.parked !== undefined) return { parked: await valueOf(config.parked), close: async () => {} }
  const { bus, transport } = config
  const owner = bus === undefined ? transport && (await valueOf(transport)) : await valueOf(bus)
  if (owner === undefined) throw new ConfigError('the config exports neither parked, bus nor transport: give one')
  const close = () => Promise.resolve(owner[Symbol.asyncDispose]())
  try {
    if (owner.parked === undefined)
      throw new ConfigError('this transport keeps no dead letters: export parked, the store')
    return { parked: owner.parked, close }
  } catch (error) {
    await close()
    throw error
  }
}

async function list(parked: Parked, { filter, limit, json }: Order, io: CommandIo): Promise<number> {
  let listed = 0
  for await (const item of parked.list(filter, { signal: io.signal })) {
    if (listed === limit) {
      io.printError(`only the first ${limit}: give filters, or raise --limit`)
      break
    }
    listed++
    io.print(json ? jsonLine(outlineOf(item)) : lineOf(item))
  }
  if (listed === 0 && !json) io.print('nothing is parked')
  return 0
}

async function show(parked: Parked, { handles, filter, json }: Order, io: CommandIo): Promise<number> {
  for await (const item of parked.list(filter, { signal: io.signal })) {
    if (item.handle !== handles[0]) continue
    io.print(json ? jsonLine(wholeOf(item)) : pageOf(item))
    return 0
  }
  throw new ConfigError(`nothing is parked under "${handles[0]!}": list again`)
}

async function act(parked: Parked, order: Order, io: CommandIo): Promise<number> {
  const handles = order.all ? await taken(parked, order, io) : [...new Set(order.handles)]
  const done = order.action === 'replay' ? 'replayed' : 'discarded'
  const failed: { handle: string; error: string }[] = []
  let tried = 0
  while (tried < handles.length && failed.length === 0 && !io.signal.aborted) {
    const batch = handles.slice(tried, tried + BATCH)
    const ends = await Promise.allSettled(
      order.action === 'replay' ? parked.replay(batch) : parked.discard(batch, order.reason!),
    )
    tried += batch.length
    ends.forEach((end, index) => {
      if (end.status === 'rejected') failed.push({ handle: batch[index]!, error: textOf(end.reason) })
    })
    if (handles.length > BATCH) io.printError(`${tried} of ${handles.length}`)
  }
  const left = handles.length - tried
  if (order.json) io.print(jsonLine({ [done]: tried - failed.length, failed, notTried: left }))
  else {
    io.print(`${tried - failed.length} ${done}`)
    for (const { handle, error } of failed) io.printError(`${printable(handle)} not ${done}: ${printable(error)}`)
    if (left > 0)
      io.printError(`${left} not tried: ${io.signal.aborted ? 'stopped' : 'look at what failed'}, then run again`)
  }
  return failed.length + left === 0 ? 0 : 1
}

async function taken(parked: Parked, { filter, limit }: Order, { signal, printError }: CommandIo): Promise<string[]> {
  const handles: string[] = []
  for await (const { handle } of parked.list(filter, { signal })) {
    if (handles.length === limit) {
      printError(`only the first ${limit}: run again for the others, or raise --limit`)
      break
    }
    handles.push(handle)
  }
  return handles
}

import { ConfigError } from '@waybill/core'
import type { AmqpChannel } from './client.ts'
import { closeChannel } from './close-channel.ts'
import type { Session } from './connection.ts'
import { depthOf, exchangeStands, judgeDeclare } from './throw-away.ts'

/** In how many shards a queue stands: 1 where it is undivided; or between which numbers it is being moved. */
export type Standing = number | { readonly from: number; readonly to: number }

/**
 * An exchange that routes nothing. Its alternate exchange, which the broker lets nobody change, holds the number, so that
 * instances of two numbers can't run side by side.
 */
function markerOf(home: string): string {
  return `${home}.shards`
}

function noteOf(home: string, standing: Standing): string {
  return typeof standing === 'number' ? `${home}.of-${standing}` : `${home}.move-${standing.from}-to-${standing.to}`
}

/** @returns undefined where there is no marker: undivided, or not there */
export async function readMarker(session: Session, home: string): Promise<Standing | undefined> {
  const marker = markerOf(home)
  if (!(await exchangeStands(session, marker))) return undefined
  const channel = await session.connection.createChannel()
  channel.on('error', () => {})
  try {
    // refused with the number that stands
    await channel.assertExchange(marker, 'fanout', { durable: true, alternateExchange: noteOf(home, 0) })
  } catch (error) {
    const note = /current is '?(?:longstr,)?"?([^'"]*)/.exec((error as Error).message)?.[1] ?? ''
    const [, count, from, to] = /\.(?:of-(\d+)|move-(\d+)-to-(\d+))$/.exec(note) ?? []
    if (count !== undefined) return Number(count)
    if (from !== undefined) return { from: Number(from), to: Number(to) }
    throw judgeDeclare(error)
  }
  // deleted between the two, so this one says nothing
  await channel.deleteExchange(marker)
  await closeChannel(channel, session)
  return undefined
}

export async function writeMarker(channel: AmqpChannel, home: string, standing: Standing): Promise<void> {
  await channel.assertExchange(markerOf(home), 'fanout', { durable: true, alternateExchange: noteOf(home, standing) })
}

export async function replaceMarker(channel: AmqpChannel, home: string, standing: Standing): Promise<void> {
  await channel.deleteExchange(markerOf(home))
  if (standing !== 1) await writeMarker(channel, home, standing)
}

/**
 * Messages that wait in queues of another number of shards would be handled after later ones of their key, or never.
 * @throws {ConfigError} naming what stands and what was asked for
 */
export async function refuseOtherCount(session: Session, home: string, count: number): Promise<void> {
  const marked = await readMarker(session, home)
  if (marked === count) return
  // without marker and without queue nothing stands yet
  if (marked === undefined && (count === 1 || (await depthOf(session, home)) === undefined)) return
  const wanted = `shards["${home}"] is ${count}`
  if (typeof marked === 'object') {
    throw new ConfigError(
      `queue "${home}" is being moved from ${marked.from} to ${marked.to} shards, and ${wanted}: wait until moveShards is done, or call it again`,
    )
  }
  throw new ConfigError(
    `queue "${home}" stands in ${marked ?? 1} shards, and ${wanted}: move it (moveShards), or give the number that stands`,
  )
}

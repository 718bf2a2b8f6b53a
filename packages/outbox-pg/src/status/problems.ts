import type { GapOwner } from './gap-owner.ts'
import type { LogFacts } from './log-facts.ts'
import type { DestinationStatus, ReaderStatus } from './reader-status.ts'
import type { OpenWriter } from './writers.ts'

/** One thing that is not well, in words for somebody who has never seen the system. */
export interface Problem {
  /** `blocked`: messages wait; `notice`: to be looked at by day. */
  readonly level: 'blocked' | 'notice'
  /** The reader that it is about; `null` for the log as a whole. */
  readonly reader: string | null
  readonly text: string
  /** What to do. */
  readonly advice: string
}

/** A lease lasts 10 s by default: who was not seen for longer than this is gone, not between two beats. */
const GONE_SECONDS = 30
/** What waits for so long does so for a reason. */
const LATE_SECONDS = 60
const LONG_WRITER_SECONDS = 10
/** Of the 10,000 at which a reader reads no further. */
const MANY_OPEN = 5_000

/** What is not well, the worst first. A pure function of what was read. */
export function problemsOf(facts: LogFacts): readonly Problem[] {
  const found = [
    ...facts.readers.flatMap((reader) => [...ofReader(reader), ...ofGaps(reader, facts.gapOwner)]),
    ...facts.writers.flatMap(ofWriter),
  ]
  for (const { transport, destination, count } of facts.unread) {
    const whom = transport === null ? 'no carrier' : transport === 'postgres' ? destination : `carrier "${transport}"`
    found.push({
      level: 'blocked',
      reader: null,
      text: `${count} of the newest messages are for ${whom}, which no reader has ever read`,
      advice: 'start the relay or service that reads them, or correct the name they are written for; they are kept',
    })
  }
  if (facts.inDefaultPartition > 0) {
    found.push({
      level: 'notice',
      reader: null,
      text: `${facts.inDefaultPartition >= 10_000 ? 'at least 10000' : facts.inDefaultPartition} rows lie in the DEFAULT partition: nobody made partitions in time`,
      advice:
        'keep a relay or a postgres() transport running, which makes them; nothing is lost, the rows are read from there',
    })
  }
  return found.sort((left, right) => Number(right.level === 'blocked') - Number(left.level === 'blocked'))
}

function ofReader(reader: ReaderStatus): Problem[] {
  const { name, kind, running, seenSecondsAgo, trouble, troubleSeconds, destinations, oldestPendingSeconds } = reader
  const problems: Problem[] = []
  const say = (level: Problem['level'], text: string, advice: string) =>
    problems.push({ level, reader: name, text: `${name}: ${text}`, advice })
  if (!running && kind !== 'process' && seenSecondsAgo > GONE_SECONDS) {
    const holds = `it holds ${count(reader)} messages and the log from id ${reader.position + 1} on`
    say('blocked', `nobody runs it, seen last ${age(seenSecondsAgo)} ago; ${holds}`, startAdvice(name, kind))
  }
  if (running && trouble !== null) {
    say(
      'blocked',
      `${trouble}, for ${age(troubleSeconds ?? 0)}; ${count(reader)} messages wait`,
      trouble.startsWith('destination')
        ? 'make, empty or unlock that destination; its messages are tried again by themselves'
        : 'bring the broker back, or correct its address and credentials; nothing is lost, and sending goes on by itself',
    )
  }
  problems.push(...destinations.flatMap((place) => ofPlace(name, place)))
  if (
    running &&
    trouble === null &&
    !hasManyGaps(reader) &&
    (oldestPendingSeconds ?? 0) > LATE_SECONDS &&
    problems.length === 0
  ) {
    say(
      'blocked',
      `is behind by ${count(reader)} messages, the oldest ${age(oldestPendingSeconds!)} old`,
      kind === 'relay'
        ? 'it runs and its broker confirms: look whether the number falls ("waybill-outbox watch"), else raise window and batch'
        : "it runs: its handlers are slow, fail and are tried again in place, or stopped the line; look at the service's log and health",
    )
  }
  return problems
}

function ofPlace(
  reader: string,
  { destination, waiting, parked, oldestSeconds, lastError }: DestinationStatus,
): Problem[] {
  const error = lastError === null ? '' : `: ${lastError}`
  const problems: Problem[] = []
  if (waiting > 0) {
    problems.push({
      level: oldestSeconds > LATE_SECONDS ? 'blocked' : 'notice',
      reader,
      text: `${reader}: ${waiting} messages to ${destination} were refused or wait behind one that was, the oldest ${age(oldestSeconds)} old${error}`,
      advice:
        parked > 0
          ? 'see which message their keys wait for: waybill-outbox parked list; replay or discard it'
          : 'mend what the error names; they are tried again by themselves',
    })
  }
  if (parked > 0) {
    problems.push({
      level: 'notice',
      reader,
      text: `${reader}: ${parked} messages to ${destination} were given up on and are parked${error}`,
      advice: 'look at them with "waybill-outbox parked list", mend the cause, then replay or discard them',
    })
  }
  return problems
}

/** Rolled-back ids stay open as long as any writer of the server that was there before them; at 10,000 the reader waits. */
function ofGaps(reader: ReaderStatus, owner: GapOwner | null): Problem[] {
  if (!hasManyGaps(reader) || owner === null) return []
  const { name, open } = reader
  const where = owner.database === null ? '' : ` in database ${owner.database}`
  const since = owner.ageSeconds === null ? '' : ` for ${age(owner.ageSeconds)}`
  return [
    {
      level: 'blocked',
      reader: name,
      text: `${name}: ${open} ranges of ids are open, and at 10000 it reads no further: ${whoIs(owner)} has been writing${where}${since}`,
      advice: `wait for its end, or end it: ${endOf(owner)}; what rolled back since is given up on then, and reading goes on by itself`,
    },
  ]
}

/** So many that the reader is about to wait for those who keep them open. */
export function hasManyGaps({ open }: ReaderStatus): boolean {
  return open >= MANY_OPEN
}

function whoIs({ pid, gid, user, application, state }: OpenWriter): string {
  return gid === null
    ? `pid ${pid} (user ${user ?? 'unknown'}${application === null ? '' : `, application ${application}`}, ${state ?? 'state unknown'})`
    : `prepared transaction ${gid} (user ${user ?? 'unknown'})`
}

const endOf = ({ pid, gid }: OpenWriter) =>
  gid === null ? `SELECT pg_terminate_backend(${pid})` : 'COMMIT PREPARED or ROLLBACK PREPARED'

function ofWriter(writer: OpenWriter): Problem[] {
  const { gid, ageSeconds } = writer
  if (ageSeconds !== null && ageSeconds < LONG_WRITER_SECONDS) return []
  // whose age this role may not see is no problem yet that could be told from any other writer
  if (ageSeconds === null && gid === null) return []
  return [
    {
      level: (ageSeconds ?? 0) > LATE_SECONDS ? 'blocked' : 'notice',
      reader: null,
      text: `${whoIs(writer)} has written to the outbox and not committed for ${age(ageSeconds ?? 0)}: its ids stay open`,
      advice:
        gid === null
          ? `its own messages wait, others do not; if it hangs, end it: ${endOf(writer)}`
          : `its own messages wait, others do not; end it with ${endOf(writer)}`,
    },
  ]
}

function startAdvice(name: string, kind: string): string {
  const start = kind === 'relay' ? 'start its relay' : 'start the service that reads it'
  return `${start}; if it is gone for good: waybill-outbox readers drop ${name}`
}

const count = ({ pending, pendingAtLeast }: ReaderStatus) => `${pendingAtLeast ? 'at least ' : ''}${pending}`

/** A length of time as one reads it. */
export function age(seconds: number): string {
  if (seconds < 10) return `${seconds.toFixed(1)} s`
  if (seconds < 120) return `${Math.round(seconds)} s`
  if (seconds < 7_200) return `${Math.round(seconds / 60)} min`
  return seconds < 172_800 ? `${Math.round(seconds / 3_600)} h` : `${Math.round(seconds / 86_400)} days`
}

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, openSync, readFileSync, rmSync, statfsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { consume, produce } from './parts.ts'
import { ensure, verdictOf, type Scenario } from './scenario.ts'
import { smallDisk } from './small-disk.ts'
import { openWorld, type World } from './world.ts'

const OPERATIONS = 40
const file = (path: string) => fileURLToPath(new URL(path, import.meta.url))

/** `waybill-outbox relay` writes what it says, and its logger, to a disk that is full; then there is room again. */
export const fullLogDisk: Scenario = {
  row: 29,
  what: "disk of the relay's log and temporary files full: it goes on, and says one thing once",
  async run(at) {
    await using disk = await smallDisk(1)
    await using world = await openWorld(at, { operations: OPERATIONS, window: 20 })
    const { place } = world
    await using _consumer = await consume(place, () => {})
    const said = join(disk.path, 'said')
    const filler = join(disk.path, 'filler')
    fill(disk.path, filler)
    await using relay = startCommand(world, disk.path, said)
    await produce(place, () => {})
    await verdictOf(world)
    await trouble(world, () => pause(1_500))
    await produce({ ...place, operations: 2 * OPERATIONS }, () => {})
    await verdictOf(world)
    const unheard = readFileSync(said, 'utf8')
    ensure(!unheard.includes('\n'), `the disk was not full: ${unheard}`)
    ensure(relay.running, 'the relay ended when its disk was full')
    rmSync(filler)
    await trouble(world, () => saidIn(said, / is down: /))
    await saidIn(said, / is well again/)
    const lines = readFileSync(said, 'utf8').trimEnd().split('\n')
    const repeated = lines.length - new Set(lines).size
    ensure(repeated === 0, `something was said twice: ${lines.join(' | ')}`)
    ensure(/^\d+ lines could not be written: ENOSPC$/m.test(lines.join('\n')), 'what was lost is not told')
    await produce({ ...place, operations: 3 * OPERATIONS }, () => {})
    const verdict = await verdictOf(world)
    const code = await relay.end()
    ensure(code === 0, `the relay ended with ${code}`)
    return { verdict }
  },
}

/** To the last byte. */
function fill(disk: string, path: string): void {
  for (const size of [65_536, 4_096, 256, 1]) {
    const chunk = Buffer.alloc(size)
    for (;;) {
      try {
        writeFileSync(path, chunk, { flag: 'a' })
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error
        break
      }
    }
  }
  ensure(statfsSync(disk).bavail === 0, 'the disk is not full')
}

function startCommand({ place }: World, cwd: string, said: string) {
  const output = openSync(said, 'a')
  const child = spawn(
    process.execPath,
    [
      ...['--import', new URL('../resolve-sources.ts', import.meta.url).href],
      file('../../../packages/outbox-pg/src/command/cli.ts'),
      ...['relay', '--config', file('relay-config.ts'), '--schema', place.log],
    ],
    {
      cwd,
      env: { ...process.env, TMPDIR: cwd, PLACE: JSON.stringify(place) },
      stdio: ['ignore', output, output],
    },
  )
  closeSync(output)
  const ended = once(child, 'exit')
  ended.catch(() => {})
  const running = () => child.exitCode === null && child.signalCode === null
  return {
    get running() {
      return running()
    },
    async end() {
      child.kill('SIGTERM')
      await ended
      return child.exitCode ?? child.signalCode
    },
    async [Symbol.asyncDispose]() {
      if (running()) child.kill('SIGKILL')
      await ended
    },
  }
}

/** Shuts the relay's reader out for a while. */
async function trouble({ place, pool }: World, during: () => Promise<unknown>): Promise<void> {
  await pool.query(`update "${place.log}".meta set min_relay = min_relay + 900`)
  await during()
  await pool.query(`update "${place.log}".meta set min_relay = min_relay - 900`)
}

async function saidIn(path: string, words: RegExp): Promise<void> {
  for (const untilMs = performance.now() + 15_000; !words.test(readFileSync(path, 'utf8')); await pause(50)) {
    ensure(performance.now() < untilMs, `not said within 15 s: ${words}, but ${readFileSync(path, 'utf8')}`)
  }
}

import { parseArgs } from 'node:util'
import { UsageError, type CommandIo } from './command-io.ts'
import { loadConfig, textOf } from './config.ts'
import { describe } from './describe.ts'
import { ACTIONS, replay, type Action } from './replay.ts'
import { printable } from './terminal-text.ts'

const USAGE = `waybill asyncapi --config FILE [--out FILE]
    the AsyncAPI document of what FILE exports as asyncapi
waybill replay list | show HANDLE | replay HANDLE... | discard HANDLE... --config FILE
    what was given up on: dead letters, or what a store parked;
    FILE exports parked, bus or transport
  --service NAME   only of this service
  --type TYPE      only of this type, as it travels
  --key KEY        only of this ordering key
  --all            replay or discard all that fit
  --limit N        list, or take with --all, at most so many; default 10000
  --reason TEXT    why they are discarded
  --yes            discard without asking again
  --json           a JSON document on each line`

/** Runs one command; resolves with the exit code: 0 done, 1 failed, 2 called in a wrong way. */
export async function runCommand(io: CommandIo): Promise<number> {
  const { print, printError } = io
  let what = 'waybill'
  try {
    const { values, positionals } = parse(io.args)
    if (values.help) {
      print(USAGE)
      return 0
    }
    const [command, action, ...handles] = positionals
    if (command !== 'asyncapi' && command !== 'replay') throw new UsageError(`"${command ?? ''}" is no command`)
    what = command
    const file = values.config
    if (command === 'asyncapi') {
      if (positionals.length > 1) throw new UsageError('asyncapi takes options only')
      return await describe(await loadConfig(required(file)), values.out, io)
    }
    if (!isAction(action)) throw new UsageError(`"${action ?? ''}" is no action of replay`)
    what = `replay ${action}`
    const { service, type, key: orderingKey, all = false, reason, yes = false, json = false } = values
    const order = { action, handles, all, limit: limitOf(values.limit), reason, yes, json }
    return await replay(() => loadConfig(required(file)), { ...order, filter: { service, type, orderingKey } }, io)
  } catch (error) {
    const usage = error instanceof UsageError
    printError(`${what}: ${printable(textOf(error))}${usage ? `\n${USAGE}` : ''}`)
    return usage ? 2 : 1
  }
}

function parse(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      allowPositionals: true,
      options: {
        config: { type: 'string' },
        out: { type: 'string' },
        service: { type: 'string' },
        type: { type: 'string' },
        key: { type: 'string' },
        all: { type: 'boolean' },
        limit: { type: 'string' },
        reason: { type: 'string' },
        yes: { type: 'boolean' },
        json: { type: 'boolean' },
        help: { type: 'boolean', short: 'h' },
      },
    })
  } catch (error) {
    throw new UsageError((error as Error).message)
  }
}

function isAction(action: string | undefined): action is Action {
  return (ACTIONS as readonly (string | undefined)[]).includes(action)
}

function required(file: string | undefined): string {
  if (file === undefined) throw new UsageError('give --config FILE')
  return file
}

function limitOf(given: string | undefined): number {
  if (given === undefined) return 10_000
  if (!/^[1-9]\d{0,6}$/.test(given)) throw new UsageError(`--limit is "${given}": give a number from 1 to 9999999`)
  return Number(given)
}

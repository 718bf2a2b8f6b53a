import { parseArgs } from 'node:util'
import { ACTIONS, jsonLine, printable, UsageError, type Action } from '@waybill/core/command'
import pg from 'pg'
import { migrate } from '../migrations/index.ts'
import { rolesSql } from '../migrations/roles.ts'
import { logStatus } from '../status/log-status.ts'
import { quoteSchema } from '../schema-name.ts'
import { failureOf, type At } from './failure.ts'
import type { OutboxIo, Place } from './outbox-io.ts'
import { parked } from './parked.ts'
import { purge } from './purge.ts'
import { readers } from './readers.ts'
import { relay } from './relay.ts'
import { statusText } from './status-text.ts'
import { targetOf, type Target } from './target.ts'
import { USAGE } from './usage.ts'
import { watch } from './watch.ts'

/** Runs one command; resolves with the exit code: 0 done, 1 failed, 2 called in a wrong way. Prints no password. */
export async function runCommand(io: OutboxIo): Promise<number> {
  const { print, printError } = io
  const pools: pg.Pool[] = []
  let what = 'waybill-outbox'
  let target: Target | undefined
  let quoted = ''
  const at = (): At => ({ target, schema: quoted })
  try {
    const { values, positionals } = parse(io.args)
    if (values.help) {
      print(USAGE)
      return 0
    }
    const [command, ...rest] = positionals
    what = command ?? what
    const { schema, json = false, yes = false, reason } = values
    quoted = quoteSchema(schema)
    const openPool = () => {
      target = targetOf(values.url, io.env)
      const pool = poolOf(target)
      pools.push(pool)
      return pool
    }
    const open = (): Place => ({ pool: openPool(), schema, json })
    const alone = () => {
      if (rest.length > 0) throw new UsageError(`${what} takes options only`)
    }
    switch (command) {
      case 'migrate': {
        alone()
        const { from, to } = await migrate(open())
        const text = from === to ? `schema is at version ${to} already` : `schema went from version ${from} to ${to}`
        print(json ? jsonLine({ from, to }) : text)
        return 0
      }
      case 'roles':
        alone()
        print(rolesSql({ schema }))
        return 0
      case 'status': {
        alone()
        const status = await logStatus(open())
        print(json ? jsonLine(status) : statusText(status))
        return 0
      }
      case 'watch':
        alone()
        return await watch(open(), secondsOf(values.every), (error) => failureOf(error, at()), io)
      case 'relay':
        alone()
        return await relay({ config: values.config, schema, json }, openPool, io)
      case 'readers': {
        const [action, ...names] = rest
        const run = readers({ action, names, to: values.to, time: values.time, yes, reason })
        return await run(open(), io)
      }
      case 'parked': {
        const [action, ...handles] = rest
        if (!isAction(action)) throw new UsageError(`"${action ?? ''}" is no action of parked`)
        const filter = { service: values.service, type: values.type, orderingKey: values.key }
        const order = {
          action,
          handles,
          all: values.all ?? false,
          limit: limitOf(values.limit),
          reason,
          yes,
          json,
          filter,
        }
        return await parked(order, open, io)
      }
      case 'purge': {
        const run = purge({ what: rest, olderThan: values['older-than'], yes, reason })
        return await run(open(), io)
      }
      case undefined:
      default:
        throw new UsageError(`"${command ?? ''}" is no command`)
    }
  } catch (error) {
    const failure = failureOf(error, at())
    const usage = error instanceof UsageError
    if (io.args.includes('--json')) printError(jsonLine(failure))
    else printError(`${printable(what)}: ${printable(failure.error)}${usage ? `\n${USAGE}` : ''}`)
    return usage ? 2 : 1
  } finally {
    await Promise.all(pools.map((pool) => pool.end()))
  }
}

function poolOf({ connectionString, connectMs }: Target): pg.Pool {
  const pool = new pg.Pool({
    connectionString,
    max: 4,
    connectionTimeoutMillis: connectMs,
    application_name: 'waybill-outbox',
  })
  pool.on('error', () => undefined)
  return pool
}

function parse(args: readonly string[]) {
  const text = { type: 'string' } as const
  const flag = { type: 'boolean' } as const
  try {
    return parseArgs({
      args: [...args],
      allowPositionals: true,
      options: {
        ...{ url: text, schema: text, config: text, every: text, to: text, time: text, 'older-than': text },
        ...{ service: text, type: text, key: text, limit: text, reason: text },
        ...{ all: flag, yes: flag, json: flag },
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

function limitOf(given: string | undefined): number {
  if (given === undefined) return 10_000
  if (!/^[1-9]\d{0,6}$/.test(given)) throw new UsageError(`--limit is "${given}": give a number from 1 to 9999999`)
  return Number(given)
}

function secondsOf(given: string | undefined): number {
  if (given === undefined) return 2
  const seconds = Number(given)
  if (!(seconds >= 0.1 && seconds <= 3_600))
    throw new UsageError(`--every is "${given}": give seconds from 0.1 to 3600`)
  return seconds
}

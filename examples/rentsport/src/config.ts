import { ConfigError } from '@waybill/core'
import { fileURLToPath } from 'node:url'
import { isAbsolute, resolve } from 'node:path'

/** A port that was asked for by name must be free; a default one moves to the next free one. */
export interface PortChoice {
  readonly variable: string
  readonly port: number
  readonly given: boolean
}

/** What the environment says, read once at start. */
export interface Config {
  readonly host: string
  readonly port: PortChoice
  readonly grpcPort: PortChoice
  /** Without it an embedded PostgreSQL is started. */
  readonly databaseUrl: string | undefined
  readonly amqpUrl: string | undefined
  readonly kafkaBrokers: readonly string[] | undefined
  readonly smtpUrl: string | undefined
  /** Holds the embedded database and the mailbox. */
  readonly dataDir: string
  /** How many times faster than real time the business clock goes. */
  readonly clockSpeed: number
}

const DEFAULTS = {
  host: '127.0.0.1',
  port: 3_000,
  grpcPort: 50_051,
  dataDir: fileURLToPath(new URL('../.data', import.meta.url)),
  clockSpeed: 1,
} as const

/** More than this and a rental of a day is over before its page is drawn. */
const MAX_CLOCK_SPEED = 1_000_000

/** What a process that the supervisor starts reads: there is a database by then, and a port that was found free. */
export type RoomConfig = Config & { readonly databaseUrl: string }

type Environment = Readonly<Record<string, string | undefined>>

/** @throws {ConfigError} names the variable, its value and what it may be */
export function readConfig(environment: Environment = process.env): Config {
  const text = (name: string) => environment[name]?.trim() || undefined
  const dataDir = text('DATA_DIR')
  const config: Config = {
    host: text('HOST') ?? DEFAULTS.host,
    port: portOf('PORT', text('PORT'), DEFAULTS.port),
    grpcPort: portOf('GRPC_PORT', text('GRPC_PORT'), DEFAULTS.grpcPort),
    databaseUrl: urlOf('DATABASE_URL', text('DATABASE_URL'), ['postgres:', 'postgresql:']),
    amqpUrl: urlOf('AMQP_URL', text('AMQP_URL'), ['amqp:', 'amqps:']),
    kafkaBrokers: brokersOf(text('KAFKA_BROKERS')),
    smtpUrl: urlOf('SMTP_URL', text('SMTP_URL'), ['smtp:', 'smtps:']),
    dataDir: dataDir === undefined ? DEFAULTS.dataDir : isAbsolute(dataDir) ? dataDir : resolve(dataDir),
    clockSpeed: text('CLOCK_SPEED') === undefined ? DEFAULTS.clockSpeed : Number(text('CLOCK_SPEED')),
  }
  if (!(config.clockSpeed > 0 && config.clockSpeed <= MAX_CLOCK_SPEED)) {
    throw new ConfigError(`CLOCK_SPEED is ${text('CLOCK_SPEED')}: give a number above 0, at most ${MAX_CLOCK_SPEED}`)
  }
  return config
}

/** @throws {ConfigError} as `readConfig`, and without a database: somebody ran the room by hand */
export function readRoomConfig(environment: Environment = process.env): RoomConfig {
  const config = readConfig(environment)
  const { databaseUrl } = config
  if (databaseUrl === undefined) throw new ConfigError('DATABASE_URL is not set: run main.ts, which starts every room')
  return { ...config, databaseUrl }
}

function portOf(variable: string, value: string | undefined, standard: number): PortChoice {
  if (value === undefined) return { variable, port: standard, given: false }
  const port = Number(value)
  if (!/^\d+$/.test(value) || port > 65_535) {
    throw new ConfigError(`${variable} is "${value}": give a port from 0 (any free one) to 65535`)
  }
  return { variable, port, given: true }
}

function urlOf(variable: string, value: string | undefined, protocols: readonly string[]): string | undefined {
  if (value === undefined) return undefined
  // The value is not quoted: it may hold a password.
  if (!URL.canParse(value) || !protocols.includes(new URL(value).protocol)) {
    throw new ConfigError(
      `${variable} is not a URL that starts with ${protocols.map((name) => `${name}//`).join(' or ')}`,
    )
  }
  return value
}

function brokersOf(value: string | undefined): readonly string[] | undefined {
  if (value === undefined) return undefined
  const brokers = value.split(',').map((broker) => broker.trim())
  const wrong = brokers.find((broker) => !/^(?:[^\s:/]+|\[[0-9a-fA-F:]+\]):\d{1,5}$/.test(broker))
  if (wrong !== undefined) throw new ConfigError(`KAFKA_BROKERS holds "${wrong}": give host:port, several with commas`)
  return brokers
}

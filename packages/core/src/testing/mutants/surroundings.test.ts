import { EventEmitter } from 'node:events'
import { ConfigError } from '../../errors.ts'
import type { Transport } from '../../transport.ts'
import type { Misconfigured } from '../options.ts'
import { catchMutants, type Mutant } from './catch-mutants.ts'

const PASSWORD = 'pa:ss@word/%'

/** A broker that can be taken out of reach, as far as health can tell. */
function withinReach(healthAway: (good: Transport) => ReturnType<Transport['health']>): Mutant {
  let away = false
  return {
    transport: (good) => ({ health: () => (away ? healthAway(good) : good.health()) }),
    hooks: {
      async isolate() {
        away = true
        return () => {
          away = false
        }
      },
      misconfigured: () => [wrongPort(() => Promise.reject(new ConfigError('connect to port 1: check port of url')))],
    },
  }
}

function wrongPort(subscribe: Transport['subscribe']): Misconfigured {
  const refusal = () => Promise.reject(new ConfigError('not connected: check port of url'))
  return {
    what: 'a wrong port',
    names: 'port',
    create: () => ({
      name: 'misconfigured',
      capabilities: {},
      publish: (messages) => messages.map(refusal),
      subscribe,
      health: async () => [{ part: 'connection', state: 'down', sinceMs: 0, reason: 'not connected' }],
      [Symbol.asyncDispose]: async () => {},
    }),
  }
}

const down = async () => [{ part: 'connection', state: 'down', sinceMs: 0, reason: 'out of reach' }] as const
const misconfigured = (subscribe: Transport['subscribe']): Mutant => ({
  secrets: [PASSWORD],
  hooks: { ...withinReach(down).hooks, misconfigured: () => [wrongPort(subscribe)] },
})

catchMutants(
  'words about how they are',
  {
    'says all is well while its broker is away': {
      caughtBy: '33',
      says: 'health to say that something is not up',
      make: () => withinReach((good) => good.health()),
    },
    'gives no reason': {
      caughtBy: '33',
      says: 'and why',
      make: () => withinReach(async () => [{ part: 'connection', state: 'down', sinceMs: 0 }]),
    },
    'rejects when asked how it is': {
      caughtBy: '33',
      says: 'health with timeoutMs 2000 failed: Error: not connected',
      make: () => withinReach(() => Promise.reject(new Error('not connected'))),
    },
    'names its states otherwise': {
      caughtBy: '33',
      says: 'a part of health is',
      make: () => withinReach(async () => [{ part: 'connection', state: 'lost' as 'down', sinceMs: 0, reason: 'why' }]),
    },
    'subscribes with a wrong setting': {
      caughtBy: '34',
      says: 'a client with a wrong port subscribed',
      make: () =>
        misconfigured(async () => ({
          capabilities: {},
          ended: Promise.resolve(undefined),
          stop: async () => {},
          [Symbol.asyncDispose]: async () => {},
        })),
    },
    'does not say which setting is wrong': {
      caughtBy: '34',
      says: 'the error of a client with a wrong port names port',
      make: () => misconfigured(() => Promise.reject(new ConfigError('does not work'))),
    },
    'rejects with an error of its client library': {
      caughtBy: '34',
      says: 'is not a typed one',
      make: () => misconfigured(() => Promise.reject(new Error('ECONNREFUSED, check the port'))),
    },
    'tells the password': {
      caughtBy: '34',
      says: 'a secret in the error of a client with a wrong port',
      make: () => misconfigured(() => Promise.reject(new ConfigError(`port of amqp://me:${PASSWORD}@host:1 refused`))),
    },
    'tells the password in a cause, percent-encoded': {
      caughtBy: '34',
      says: 'a secret in the error of a client with a wrong port',
      make: () =>
        misconfigured(() => {
          const cause = { config: { url: `amqp://me:${encodeURIComponent(PASSWORD)}@host:1` } }
          return Promise.reject(new ConfigError('port of url refused', { cause }))
        }),
    },
    'writes the password to the console': {
      caughtBy: '1',
      says: 'a secret written to console.debug',
      make: () => ({
        secrets: [PASSWORD],
        publish: (messages, publish) => {
          console.debug('publishing as %s', { password: PASSWORD })
          return publish(messages)
        },
      }),
    },
    'writes the password to its log': {
      caughtBy: '1',
      says: 'a secret in a log line',
      make: () => {
        const logLines: string[] = []
        return {
          secrets: [PASSWORD],
          logLines,
          publish: (messages, publish) => {
            logLines.push(`connecting to amqp://me:${PASSWORD}@host`)
            return publish(messages)
          },
        }
      },
    },
    'leaves a timer running': {
      caughtBy: '1',
      says: 'still open 3000 ms after all clients were disposed: ',
      make: () => ({
        publish: (messages, publish) => {
          // ends by itself, so that it does not outlive the test
          setTimeout(() => {}, 4_500)
          return publish(messages)
        },
      }),
    },
    'adds listeners and takes none away': {
      caughtBy: '1',
      says: 'leaking listeners',
      make: () => {
        const target = new EventEmitter()
        return {
          deliver: (delivery, deliver) => {
            target.on('close', () => {})
            return deliver(delivery)
          },
        }
      },
    },
  },
  withinReach(down),
)

import { inspect } from 'node:util'
import { describe, expect, it } from 'vitest'
import { resolveOptions } from './options.ts'
import { stepFor } from './retry-ladder.ts'

describe('options', () => {
  it('reads the url once, decoded', () => {
    const { endpoints } = resolveOptions({ url: 'amqps://us%40er:p%2Fw@[::1]/my%2Fhost' })
    expect(endpoints[0]).toMatchObject({
      host: '::1',
      port: 5671,
      username: 'us@er',
      password: 'p/w',
      vhost: 'my%2Fhost',
      label: 'amqps://[::1]:5671/my%2Fhost',
    })
  })

  it.each([
    ['no way to connect', {}],
    ['two ways', { url: 'amqp://a', urls: ['amqp://b'] }],
    ['no url', { url: 'localhost secret-word' }],
    ['another protocol', { url: 'http://user:secret-word@a' }],
    ['a broken escape', { url: 'amqp://user:secret-word%@a' }],
    ['parameters', { url: 'amqp://user:secret-word@a?heartbeat=1' }],
    ['a heartbeat under a second', { url: 'amqp://a', heartbeatMs: 10 }],
    ['endless confirms', { url: 'amqp://a', confirmTimeoutMs: Number.POSITIVE_INFINITY }],
    ['a step of nothing', { url: 'amqp://a', retryStepsMs: [0] }],
    ['replies anywhere', { url: 'amqp://a', replyPrefixes: [''] }],
  ])('refuses %s, and keeps the password to itself', (_what, options) => {
    let thrown: unknown
    try {
      resolveOptions(options)
    } catch (error) {
      thrown = error
    }
    expect(thrown).toMatchObject({ code: 'CONFIG' })
    expect(inspect(thrown, { depth: 9, showHidden: true }).split('\n    at ')[0]).not.toContain('secret-word')
  })

  it('takes the next longer step, and never waits too short where one is long enough', () => {
    const { retryStepsMs } = resolveOptions({ url: 'amqp://a' })
    for (const delayMs of [1, 250, 251, 1_600, 10_000, 60_000, 600_000]) {
      const stepMs = stepFor(retryStepsMs, delayMs)
      expect(stepMs).toBeGreaterThanOrEqual(delayMs)
      expect(stepMs - delayMs).toBeLessThanOrEqual(Math.max(1_000, delayMs / 2))
    }
    expect(stepFor(retryStepsMs, 9_999_999)).toBe(3_600_000)
  })
})

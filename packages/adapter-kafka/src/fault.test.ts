import { ConfigError, ConnectionError, PublishError } from '@waybill/core'
import {
  KafkaJSConnectionError,
  KafkaJSNonRetriableError,
  KafkaJSNumberOfRetriesExceeded,
  KafkaJSProtocolError,
} from 'kafkajs'
import { expect, test } from 'vitest'
import { behind, connectError, faultOf, isEvicted, publishError } from './fault.ts'

const protocol = (type: string, code: number) =>
  new KafkaJSProtocolError(Object.assign(new Error(type), { type, code, retriable: false }) as never)
const wrapped = (cause: Error) =>
  new KafkaJSNumberOfRetriesExceeded(cause, { retryCount: 5, retryTime: 1, cause } as never)
const nonRetriable = (cause: Error) => Object.assign(new KafkaJSNonRetriableError(cause), { cause })

test('a fault reaches as far as its innermost cause says, whatever it is wrapped in', () => {
  const refused = new KafkaJSConnectionError('connect ECONNREFUSED')
  expect(faultOf(nonRetriable(refused))).toEqual({ scope: 'transport', retryable: true, mayExist: true })
  expect(faultOf(protocol('MESSAGE_TOO_LARGE', 10))).toEqual({ scope: 'message', retryable: false, mayExist: false })
  expect(faultOf(wrapped(protocol('UNKNOWN_TOPIC_OR_PARTITION', 3)))).toMatchObject({ scope: 'destination' })
  expect(faultOf(wrapped(protocol('NOT_ENOUGH_REPLICAS', 19)))).toMatchObject({ scope: 'transport', retryable: true })
  expect(faultOf(protocol('INVALID_TIMESTAMP', 32))).toEqual({ scope: 'transport', retryable: true, mayExist: false })
  expect(faultOf(new TypeError('value'))).toMatchObject({ scope: 'message', retryable: false })
})

test('a wrong setting is told from a broker that is away', () => {
  expect(connectError('x', wrapped(protocol('GROUP_AUTHORIZATION_FAILED', 30)))).toBeInstanceOf(ConfigError)
  expect(connectError('x', new KafkaJSConnectionError('connect ECONNREFUSED'))).toBeInstanceOf(ConnectionError)
})

test('being thrown out of the group is no passing error', () => {
  expect(isEvicted(protocol('UNKNOWN_MEMBER_ID', 25))).toBe(true)
  expect(isEvicted(protocol('REBALANCE_IN_PROGRESS', 27))).toBe(false)
})

test('what waited behind a failed message fails as far as that one, and was never sent', () => {
  const first = publishError('t', nonRetriable(new KafkaJSConnectionError('ECONNREFUSED')))
  expect(behind('t', first)).toBeInstanceOf(PublishError)
  expect(behind('t', first).fault).toEqual({ scope: 'transport', retryable: true, mayExist: false })
})

import pino, { type Logger as PinoLogger } from 'pino'
import { expectTypeOf, test } from 'vitest'
import { createBus, type Logger } from './index.ts'
import { memory } from './memory/index.ts'

test('a pino logger, and a child of one, is a Logger as it is', () => {
  expectTypeOf<PinoLogger>().toExtend<Logger>()
  expectTypeOf(pino().child({ part: 'bus' })).toExtend<Logger>()
  expectTypeOf(createBus).toBeCallableWith({ transport: memory(), source: '/test', logger: pino() })
})

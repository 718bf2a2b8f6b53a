import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { defineCommand, defineRequest } from '../definition.ts'
import { ClosedError } from '../errors.ts'
import { memory } from '../memory/index.ts'
import type { Publisher } from '../transport.ts'
import { bridge } from './bridge.ts'
import { forward } from './forward.ts'
import type { BridgeOptions } from './options.ts'

describe('what can not be bridged', () => {
  const Ask = defineRequest('ask', { schema: z.object({}), reply: z.object({}) })
  const Mail = defineCommand('mail', { schema: z.object({}) })
  const legacy = forward({ kind: 'topic', name: 'legacy' })

  it.each<[string, Partial<BridgeOptions>, RegExp]>([
    ['nothing', { routes: [] }, /no routes/],
    ['from nowhere', { from: undefined as never }, /from is missing/],
    ['to nowhere', { to: {} as never }, /to is missing/],
    ['a request', { routes: [forward(Ask)] }, /can not carry requests/],
    ['two whole topics', { routes: [legacy, forward({ kind: 'topic', name: 'other' })] }, /a bridge of its own/],
    [
      'what it can not read',
      { routes: [forward({ kind: 'topic', name: 'x' }, { to: Mail as never })] },
      /definition read/,
    ],
    ['a map without a second definition', { routes: [forward(Mail, { map: (data) => data })] }, /map needs/],
    ['a link that is no name', { link: 'a,b' }, /link "a,b"/],
  ])('%s is refused at once', async (_, options, text) => {
    const base = { name: 'over', from: memory(), to: memory(), routes: [forward(Mail)] }
    await expect(bridge({ ...base, ...options })).rejects.toThrow(text)
  })

  it('leaves nothing open when the near side refuses', async () => {
    const from = memory()
    const disposed: string[] = []
    const to = { publish: () => [], [Symbol.asyncDispose]: async () => void disposed.push('to') } as Publisher
    await from[Symbol.asyncDispose]()
    const opening = bridge({ name: 'over', from, to, routes: [forward(Mail)] })
    await expect(opening).rejects.toThrow(ClosedError)
    expect(disposed).toEqual(['to'])
  })
})

import { ROOT_CONTEXT, trace } from '@opentelemetry/api'
import fc from 'fast-check'
import { expect, it } from 'vitest'
import { headerGetter, headerSetter } from './header-carrier.ts'
import { readTraceparent, w3cTraceContext } from './trace-context.ts'

const TRACE = '4bf92f3577b34da6a3ce929d0e0e4736'
const SPAN = '00f067aa0ba902b7'

it.each([
  [`00-${TRACE}-${SPAN}-01`, 1],
  [`00-${TRACE}-${SPAN}-00`, 0],
  // flags that we do not know are not passed on
  [`00-${TRACE}-${SPAN}-ff`, 1],
  // a later version may say more at its end
  [`cc-${TRACE}-${SPAN}-01`, 1],
  [`cc-${TRACE}-${SPAN}-01-what-the-future-brings`, 1],
])('reads %s', (traceparent, traceFlags) => {
  expect(readTraceparent(traceparent)).toEqual({ traceId: TRACE, spanId: SPAN, traceFlags, isRemote: true })
})

it.each([
  undefined,
  '',
  `00-${TRACE}-${SPAN}`,
  `00-${TRACE}-${SPAN}-1`,
  `00-${TRACE}-${SPAN}-01-`,
  `00-${TRACE}-${SPAN}-01-more`,
  ` 00-${TRACE}-${SPAN}-01`,
  `00-${TRACE}-${SPAN}-01\n`,
  `00-${TRACE.toUpperCase()}-${SPAN}-01`,
  `00-${'0'.repeat(32)}-${SPAN}-01`,
  `00-${TRACE}-${'0'.repeat(16)}-01`,
  `ff-${TRACE}-${SPAN}-01`,
  `cc-${TRACE}-${SPAN}-01.more`,
  `00-${TRACE}-${SPAN}-0x`,
])('ignores %j', (traceparent) => {
  expect(readTraceparent(traceparent)).toBeUndefined()
})

it('reads back what it writes, from text and from bytes', () => {
  const hex = (length: number) =>
    fc.string({ unit: fc.constantFrom(...'0123456789abcdef'), minLength: length, maxLength: length })
  const ids = fc
    .tuple(hex(32), hex(16), fc.constantFrom(0, 1))
    .filter(([one, two]) => !/^0+$/.test(one) && !/^0+$/.test(two))
  fc.assert(
    fc.property(ids, fc.boolean(), ([traceId, spanId, traceFlags], asBytes) => {
      const headers: Record<string, string | Uint8Array> = {}
      w3cTraceContext.inject(trace.setSpanContext(ROOT_CONTEXT, { traceId, spanId, traceFlags }), headers, headerSetter)
      if (asBytes) headers.traceparent = Buffer.from(headers.traceparent as string)
      const read = trace.getSpanContext(w3cTraceContext.extract(ROOT_CONTEXT, headers, headerGetter))
      expect(read).toEqual({ traceId, spanId, traceFlags, isRemote: true })
    }),
  )
})

it('takes tracestate along with a good traceparent only, and never one that is too long', () => {
  const state = (headers: Record<string, string>) =>
    trace.getSpanContext(w3cTraceContext.extract(ROOT_CONTEXT, headers, headerGetter))?.traceState?.serialize()
  const traceparent = `00-${TRACE}-${SPAN}-01`
  expect(state({ traceparent, tracestate: 'vendor=1,other=2' })).toBe('vendor=1,other=2')
  expect(state({ traceparent, tracestate: `vendor=${'x'.repeat(600)}` })).toBeUndefined()
  expect(state({ traceparent: 'no', tracestate: 'vendor=1' })).toBeUndefined()
})

import { DiagnosticSeverity, Parser } from '@asyncapi/parser'
import { expect, it } from 'vitest'
import { document } from './describe.ts'

it('the described application is a valid document, with its queue, its topics and its reply', async () => {
  const { document: read, diagnostics } = await new Parser().parse(JSON.stringify(document))
  expect(diagnostics.filter(({ severity }) => severity === DiagnosticSeverity.Error)).toEqual([])
  const operations = read!.operations().all()
  expect(operations.map((operation) => [operation.id(), operation.action(), operation.reply() !== undefined])).toEqual([
    ['send.rental.booked', 'send', false],
    ['pricing.receive.pricing.quote', 'receive', true],
    ['pricing.receive.pricing.quote.gathered', 'receive', true],
  ])
})

import { expect, it } from 'vitest'
import { fromRoot } from './local-references.ts'

it('moves references to the schema itself, and nothing that only looks like one', () => {
  const schema = {
    properties: {
      $ref: { type: 'string', default: '#' },
      default: { $ref: '#/definitions/a' },
      self: { anyOf: [{ $ref: '#' }, { $ref: 'https://example.org/schema#' }] },
    },
    definitions: { a: { const: { $ref: '#' }, enum: [{ $ref: '#' }], items: { $ref: '#' } } },
  }
  expect(fromRoot(schema, '#/components/schemas/x')).toEqual({
    properties: {
      $ref: { type: 'string', default: '#' },
      default: { $ref: '#/components/schemas/x/definitions/a' },
      self: { anyOf: [{ $ref: '#/components/schemas/x' }, { $ref: 'https://example.org/schema#' }] },
    },
    definitions: { a: { const: { $ref: '#' }, enum: [{ $ref: '#' }], items: { $ref: '#/components/schemas/x' } } },
  })
})

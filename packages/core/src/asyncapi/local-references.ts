const NAMES = new Set(['properties', 'patternProperties', 'definitions', '$defs', 'dependentSchemas', 'dependencies'])
const VALUES = new Set(['const', 'enum', 'default', 'examples'])

/**
 * The same JSON Schema with its references to itself (`#`, `#/definitions/…`) turned into ones from the document's root,
 * where it now stands at `root`. What looks like a reference within a value, or is the name of a property, is left alone.
 */
export function fromRoot(schema: unknown, root: string): unknown {
  if (Array.isArray(schema)) return schema.map((item) => fromRoot(item, root))
  if (typeof schema !== 'object' || schema === null) return schema
  return Object.fromEntries(
    Object.entries(schema).map(([key, value]: [string, unknown]) => {
      if (key === '$ref' && typeof value === 'string' && value.startsWith('#')) return [key, root + value.slice(1)]
      if (VALUES.has(key)) return [key, value]
      if (NAMES.has(key) && isRecord(value)) {
        return [key, Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, fromRoot(inner, root)]))]
      }
      return [key, fromRoot(value, root)]
    }),
  )
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

import type { DescField, DescMessage } from '@bufbuild/protobuf'

/** Deeper messages are not read by any implementation's default. @see https://protobuf.dev/programming-guides/proto-limits/ */
const MAX_DEPTH = 100

/**
 * The first field whose value is no list, map or message where it has to be one, or is nested too deep: such a value would
 * be left out without a word, or could not be read again.
 */
export function misfit(message: DescMessage, value: object, depth = 1): string | undefined {
  if (depth > MAX_DEPTH) return message.typeName
  for (const field of message.fields) {
    const name = `${message.typeName}.${field.name}`
    const given = valueOf(field, value as Readonly<Record<string, unknown>>)
    if (given === undefined) continue
    const values = valuesOf(field, given)
    if (values === undefined) return name
    if (field.message === undefined) continue
    for (const each of values) {
      if (typeof each !== 'object' || each === null) return name
      const found = misfit(field.message, each, depth + 1)
      if (found !== undefined) return found
    }
  }
  return undefined
}

function valueOf(field: DescField, message: Readonly<Record<string, unknown>>): unknown {
  if (field.oneof === undefined) return message[field.localName]
  const chosen = message[field.oneof.localName] as { readonly case?: unknown; readonly value?: unknown } | undefined
  return chosen?.case === field.localName ? chosen.value : undefined
}

function valuesOf({ fieldKind }: DescField, value: unknown): readonly unknown[] | undefined {
  if (fieldKind === 'list') return Array.isArray(value) ? value : undefined
  if (fieldKind !== 'map') return [value]
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? Object.values(value) : undefined
}

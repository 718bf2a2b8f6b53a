import { OTHER_ERROR } from './names.ts'

const MAX_TYPES = 100

/** `error.type` for what was thrown: its code, else its class; never its text, and never more than 100 different ones. */
export function createErrorTypes(): (error: unknown) => string {
  const known = new Set<string>()
  return (error) => {
    const type = nameOf(error)
    if (known.has(type)) return type
    if (known.size >= MAX_TYPES || !/^[\w.:-]{1,64}$/.test(type)) return OTHER_ERROR
    known.add(type)
    return type
  }
}

function nameOf(error: unknown): string {
  const { code, name } = (error ?? {}) as { readonly code?: unknown; readonly name?: unknown }
  if (typeof code === 'string' && code !== '') return code
  return error instanceof Error && typeof name === 'string' ? name : OTHER_ERROR
}

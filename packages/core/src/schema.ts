import type { StandardSchemaV1 } from '@standard-schema/spec'
import { ValidationError } from './errors.ts'

/** Any schema of the Standard Schema family: zod, valibot, arktype and others. @see https://standardschema.dev */
export type Schema = StandardSchemaV1
export type InferInput<S extends Schema> = StandardSchemaV1.InferInput<S>
export type InferOutput<S extends Schema> = StandardSchemaV1.InferOutput<S>

/**
 * The schema's output for a value; a promise only where the schema is asynchronous.
 * @throws {ValidationError} with each issue's path; the value itself is never quoted
 */
export function validate<S extends Schema>(
  schema: S,
  value: unknown,
  what: string,
): InferOutput<S> | Promise<InferOutput<S>> {
  const result = schema['~standard'].validate(value)
  if (result instanceof Promise) return result.then((settled) => unwrap(settled, what))
  return unwrap(result, what)
}

function unwrap<S extends Schema>(result: StandardSchemaV1.Result<InferOutput<S>>, what: string): InferOutput<S> {
  if (result.issues === undefined) return result.value
  const issues = result.issues.map((issue) => ({ path: pathOf(issue.path), message: issue.message }))
  const list = issues.slice(0, 5).map(({ path, message }) => (path === '' ? message : `${path}: ${message}`))
  throw new ValidationError(`${what} does not fit its schema: ${list.join('; ')}`, issues)
}

function pathOf(path: StandardSchemaV1.Issue['path']): string {
  return (path ?? []).map((step) => String(typeof step === 'object' ? step.key : step)).join('.')
}

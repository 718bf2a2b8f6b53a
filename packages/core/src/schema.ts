import type { StandardSchemaV1 } from '@standard-schema/spec'
import { ValidationError } from './errors.ts'
import { issuePath, issueWords } from './issue-words.ts'

/** Any schema of the Standard Schema family: zod, valibot, arktype and others. @see https://standardschema.dev */
export type Schema = StandardSchemaV1
export type InferInput<S extends Schema> = StandardSchemaV1.InferInput<S>
export type InferOutput<S extends Schema> = StandardSchemaV1.InferOutput<S>

type Result<S extends Schema> = StandardSchemaV1.Result<InferOutput<S>>

/** Issues that an error carries; a body of a million wrong fields is wrong enough with these. */
const MAX_ISSUES = 20

/**
 * The schema's output for a value; a promise only where the schema is asynchronous.
 * @throws {ValidationError} with the paths of the first 20 issues; the value itself is never quoted
 */
export function validate<S extends Schema>(
  schema: S,
  value: unknown,
  what: string,
): InferOutput<S> | Promise<InferOutput<S>> {
  const result = schema['~standard'].validate(value) as Result<S> | Promise<Result<S>>
  // by shape: a schema library may have promises of its own
  if (isThenable(result)) return Promise.resolve(result).then((settled) => unwrap<S>(settled, what))
  return unwrap<S>(result, what)
}

function isThenable<T>(value: T | Promise<T>): value is Promise<T> {
  return typeof (value as { then?: unknown }).then === 'function'
}

function unwrap<S extends Schema>(result: Result<S>, what: string): InferOutput<S> {
  if (result.issues === undefined) return result.value
  const issues = result.issues
    .slice(0, MAX_ISSUES)
    .map(({ path, message }) => ({ path: issuePath(path), message: issueWords(message) }))
  const list = issues.slice(0, 5).map(({ path, message }) => (path === '' ? message : `${path}: ${message}`))
  throw new ValidationError(`${what} does not fit its schema: ${list.join('; ')}`, issues)
}

const MAX_WORDS = 200
/** Words this long hold a value; and no pattern runs on what a stranger can make long. */
const MAX_GIVEN = 2_000
const MAX_PATH = 200

/** From the first quote to the last: what is quoted may be the value, and a value may hold quotes. */
const QUOTED = /(["'`])[\s\S]*\1/
/** arktype names the value in brackets where several things are wrong with it. */
const BRACKETED = /\([\s\S]*\)(?= must\b)/
/** From here on the value is told; a word for its type may stay. */
const TOLD =
  /\b(?:received|actual|got|was)\b(?!:? (?:string|number|boolean|bigint|undefined|null|object|array|date|nan)\b)/i

/**
 * What a schema says is wrong, without what it says about the value: a payload must reach no log, and valibot and arktype
 * quote it (zod does not). Words that the schema's author wrote are treated alike.
 */
export function issueWords(words: string): string {
  if (words.length > MAX_GIVEN) return 'does not fit'
  let text = words.replace(QUOTED, '…').replace(BRACKETED, '(…)')
  const told = text.search(TOLD)
  if (told >= 0) text = text.slice(0, told).replace(/[\s,:;(]*(?:but(?: the final value)?)?[\s,:;(]*$/i, '')
  text = text.replace(/\s+/g, ' ').trim()
  return text === '' ? 'does not fit' : bounded(text, MAX_WORDS)
}

/** Dotted; the names of fields are told, bounded and without control characters, since they come from outside too. */
export function issuePath(path: readonly unknown[] | undefined): string {
  const steps = (path ?? []).map((step) =>
    bounded(String(typeof step === 'object' && step !== null ? (step as { key?: unknown }).key : step), MAX_PATH),
  )
  return bounded(steps.join('.').replace(/[\u0000-\u001f\u007f]/g, '?'), MAX_PATH)
}

function bounded(text: string, max: number): string {
  return text.length <= max ? text : `${text.slice(0, max - 1)}…`
}

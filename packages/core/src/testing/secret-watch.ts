import { inspect } from 'node:util'

const CONSOLE = ['debug', 'error', 'info', 'log', 'trace', 'warn'] as const

/** What one case let out. */
export interface Leaks extends Disposable {
  readonly found: readonly string[]
  /** Searches an error with its causes, or any other value. */
  look(value: unknown, where: string): void
}

/** Searches console, output, log lines and errors for secrets; what it says of them never holds one. */
export class SecretWatch {
  readonly #forms: readonly string[]
  readonly #logLines: readonly string[]
  readonly #open = new Set<string[]>()
  #release: (() => void) | undefined

  constructor(secrets: readonly string[], logLines: readonly string[]) {
    this.#forms = [...new Set(secrets.flatMap((secret) => [secret, encodeURIComponent(secret)]))]
    this.#logLines = logLines
  }

  /** For the time of one case; several may be open at once. */
  open(): Leaks {
    const found: string[] = []
    const firstLine = this.#logLines.length
    if (this.#forms.length > 0) {
      this.#open.add(found)
      this.#release ??= this.#listen()
    }
    return {
      found,
      look: (value, where) => {
        if (this.#forms.length > 0 && this.#holdsSecret(textsOf(value))) found.push(`a secret in ${where}`)
      },
      [Symbol.dispose]: () => {
        if (this.#holdsSecret(this.#logLines.slice(firstLine))) found.push('a secret in a log line')
        this.#open.delete(found)
        if (this.#open.size > 0) return
        this.#release?.()
        this.#release = undefined
      },
    }
  }

  #holdsSecret(texts: readonly string[]): boolean {
    return texts.some((text) => this.#forms.some((form) => text.includes(form)))
  }

  #listen(): () => void {
    const hear = (where: string, given: readonly unknown[]) => {
      if (!this.#holdsSecret(given.flatMap(textsOf))) return
      for (const found of this.#open) found.push(`a secret written to ${where}`)
    }
    // one layer for all open cases, so that they may end in any order
    const undo: (() => void)[] = CONSOLE.map((name) => {
      const own = console[name]
      console[name] = (...given: unknown[]) => {
        hear(`console.${name}`, given)
        own.apply(console, given)
      }
      return () => void (console[name] = own)
    })
    for (const name of ['stdout', 'stderr'] as const) {
      const stream = process[name]
      const own = stream.write
      stream.write = function (this: typeof stream, ...given: unknown[]) {
        hear(name, given.slice(0, 1))
        return (own as (...all: unknown[]) => boolean).apply(this, given)
      } as typeof own
      undo.push(() => void (stream.write = own))
    }
    return () => undo.forEach((each) => each())
  }
}

function textsOf(value: unknown): string[] {
  if (typeof value === 'string') return [value]
  if (value instanceof Uint8Array) return [Buffer.from(value).toString('latin1')]
  return [inspect(value, { depth: 12, showHidden: true, maxArrayLength: 1_000, maxStringLength: 100_000 }), json(value)]
}

function json(value: unknown): string {
  try {
    return JSON.stringify(value) ?? ''
  } catch {
    return ''
  }
}

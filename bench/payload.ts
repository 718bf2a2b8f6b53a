/** A schema that says yes to all: what is measured is the cost of everything else. */
export function anything<Data>() {
  const types = undefined as { readonly input: Data; readonly output: Data } | undefined
  return {
    '~standard': { version: 1, vendor: 'bench', validate: (value: unknown) => ({ value: value as Data }), types },
  } as const
}

/** Data whose JSON has so many bytes. */
export function textOf(bytes: number): { readonly text: string } {
  return { text: 'x'.repeat(bytes - '{"text":""}'.length) }
}

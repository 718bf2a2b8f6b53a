/**
 * Replaces a method of the client in the form that is known by `words`: another form is left as it is. The mark tells other
 * copies of this package that it was done.
 */
export function replaceOnce<Prototype extends object, Name extends keyof Prototype>(
  prototype: Prototype,
  name: Name,
  { words, mark }: { readonly words: string; readonly mark: string },
  replacement: (original: Prototype[Name]) => Prototype[Name],
): void {
  const done = Symbol.for(mark)
  if (done in prototype || !String(prototype[name]).includes(words)) return
  Object.assign(prototype, { [done]: true, [name]: replacement(prototype[name]) })
}

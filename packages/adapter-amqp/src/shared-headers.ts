const MOST_NAMES = 64

/**
 * One object that carries the headers of each message to amqplib in turn. amqplib makes what it is given the prototype
 * of a new object, which takes long for an object never seen before; all is encoded when its `publish` returns.
 */
export class SharedHeaders {
  #headers = Object.create(null) as Record<string, unknown>
  #names: string[] = []

  /** The shared object with just these headers: those of earlier messages are `undefined`, which amqplib leaves out. */
  with(given: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
    const names = Object.keys(given)
    if (names.length > MOST_NAMES) return given
    const unknown = names.filter((name) => !(name in this.#headers))
    if (this.#names.length + unknown.length > MOST_NAMES) {
      this.#headers = Object.create(null) as Record<string, unknown>
      this.#names = names
    } else {
      for (const name of this.#names) this.#headers[name] = undefined
      if (unknown.length > 0) this.#names.push(...unknown)
    }
    for (const name of names) this.#headers[name] = given[name]
    return this.#headers
  }
}

import { isUtf8 } from 'node:buffer'

/** What is read of an avsc type to walk through its bytes. */
export interface AvroType {
  readonly typeName: string
  readonly name?: string | undefined
}

interface Parts {
  readonly fields: readonly { readonly type: AvroType }[]
  readonly types: readonly AvroType[]
  readonly itemsType: AvroType
  readonly valuesType: AvroType
  readonly underlyingType: AvroType
  readonly symbols: readonly string[]
  readonly size: number
}

const MAX_DEPTH = 1_000
/** Items that take no byte, such as null, of which a count alone makes any number. */
const MAX_EMPTY_ITEMS = 10_000
const PROTO = Buffer.from('__proto__')

/**
 * Walks through a body before avsc reads it. avsc looks at the end only when it is done: six bytes that promise an array
 * of 2^50 items would keep the process busy for ever, and a map may name a prototype.
 * @throws {RangeError} for bytes that are not of the type
 */
export function checkAvroBody(type: AvroType, body: Uint8Array): void {
  const walk = new Walk(body)
  walk.through(type, 0)
  walk.end()
}

class Walk {
  readonly #body: Uint8Array
  #at = 0
  #itemsLeft: number

  constructor(body: Uint8Array) {
    this.#body = body
    this.#itemsLeft = body.byteLength + MAX_EMPTY_ITEMS
  }

  end(): void {
    if (this.#at !== this.#body.byteLength) throw new RangeError('bytes after the end')
  }

  through(type: AvroType, depth: number): void {
    if (depth > MAX_DEPTH) throw new RangeError('nested too deep')
    const parts = type as unknown as Parts
    switch (type.typeName) {
      case 'null':
        return
      case 'boolean':
        return this.#skip(1)
      case 'int':
      case 'long':
        return void this.#long()
      case 'float':
        return this.#skip(4)
      case 'double':
        return this.#skip(8)
      case 'bytes':
        return this.#skip(this.#long())
      case 'string':
        return void this.#text()
      case 'fixed':
        return this.#skip(parts.size)
      case 'enum':
        return void this.#pick(parts.symbols)
      case 'record':
      case 'error':
        for (const field of parts.fields) this.through(field.type, depth + 1)
        return
      case 'array':
        return this.#blocks(() => this.through(parts.itemsType, depth + 1))
      case 'map':
        return this.#blocks(() => {
          this.#key()
          this.through(parts.valuesType, depth + 1)
        })
      case 'union:wrapped':
      case 'union:unwrapped':
        return this.through(this.#pick(parts.types), depth + 1)
      default:
        // a logical type is written as the type under it
        if (parts.underlyingType === undefined) throw new RangeError('a type of no known form')
        return this.through(parts.underlyingType, depth)
    }
  }

  #blocks(item: () => void): void {
    for (let count = this.#long(); count !== 0; count = this.#long()) {
      // a negative one is followed by the bytes of its block
      if (count < 0) this.#long()
      const items = Math.abs(count)
      if (items > this.#itemsLeft) throw new RangeError('more items than there are bytes')
      this.#itemsLeft -= items
      for (let index = 0; index < items; index++) item()
    }
  }

  #key(): void {
    if (PROTO.equals(this.#text())) throw new RangeError('a key that names a prototype')
  }

  #text(): Uint8Array {
    const length = this.#long()
    const start = this.#at
    this.#skip(length)
    const text = this.#body.subarray(start, this.#at)
    if (!isUtf8(text)) throw new RangeError('text that is no UTF-8')
    return text
  }

  #pick<Choice>(choices: readonly Choice[]): Choice {
    const choice = choices[this.#long()]
    if (choice === undefined) throw new RangeError('no such choice')
    return choice
  }

  #skip(bytes: number): void {
    if (!(bytes >= 0 && bytes <= this.#body.byteLength - this.#at)) throw new RangeError('past the end')
    this.#at += bytes
  }

  /** A variable-length zigzag number; beyond 2^53 it is not exact, which no bound needs. */
  #long(): number {
    let value = 0
    let scale = 1
    for (let read = 0; read < 10; read++) {
      const byte = this.#body[this.#at]
      if (byte === undefined) throw new RangeError('past the end')
      this.#at++
      value += (byte & 0x7f) * scale
      if (byte < 0x80) return value % 2 === 0 ? value / 2 : -(value + 1) / 2
      scale *= 128
    }
    throw new RangeError('a number of more than ten bytes')
  }
}

import { defineEvent, type DataIn, type DataOut, type Definition } from '../definition.ts'
import type { Schema } from '../schema.ts'
import type { Destination } from '../wire-message.ts'

/** One way over a bridge, made by `forward`. */
export interface Forward {
  readonly from: Definition | Origin
  readonly to: Definition | Partial<Destination>
  readonly map: ((data: unknown) => unknown) | undefined
  readonly ordered: boolean | undefined
}

/** Where messages of any type are read: a topic, or a queue; the subject may be a pattern with `*` and `#`. */
export interface Origin extends Destination {
  readonly kind: 'topic' | 'queue'
}

export interface ForwardOptions<From extends Definition, To extends Definition> {
  /**
   * A definition: decoded by `from`, encoded by this one, and sent where it says. A destination: the bytes go on
   * untouched, to what it names. @default the same destination, untouched
   */
  readonly to?: To | Partial<Destination> | undefined
  /** Turns the data of one definition into that of the other. @default as it is */
  readonly map?: ((data: DataOut<From>) => DataIn<To>) | undefined
}

export interface ForwardAllOptions {
  /** @default the same kind, name and subject */
  readonly to?: Partial<Destination> | undefined
  /** One instance at a time reads a key. @default true where the carrier knows an order */
  readonly ordered?: boolean | undefined
}

/**
 * A route of a bridge: from a definition, or from a topic or queue with whatever it holds.
 * @example forward(RentalBooked, { to: RentalBookedAvro })
 * @example forward({ kind: 'topic', name: 'legacy' }, { to: { name: 'legacy.events' } })
 */
export function forward<From extends Definition, To extends Definition = From>(
  from: From,
  options?: ForwardOptions<From, To>,
): Forward
export function forward(from: Origin, options?: ForwardAllOptions): Forward
export function forward(
  from: Definition | Origin,
  { to = {}, map, ordered }: ForwardOptions<Definition, Definition> & ForwardAllOptions = {},
): Forward {
  return Object.freeze({ from, to, map: map as Forward['map'], ordered })
}

const anything: Schema = {
  '~standard': { version: 1, vendor: 'waybill', validate: (value) => ({ value }) },
}

/** Stands for all that a topic or queue holds; its name is none that a type can have. */
export function whatever({ kind, name, subject, transport }: Origin, ordered: boolean): Definition {
  const definition = defineEvent('whatever', {
    schema: anything,
    destination: {
      kind,
      name,
      ...(subject !== undefined && { subject }),
      ...(transport !== undefined && { transport }),
    },
    ...(ordered && { orderingKey: () => undefined }),
  })
  const type = `*${kind}/${name}${subject === undefined ? '' : `/${subject}`}`
  return Object.freeze({ ...definition, type, wireType: type })
}

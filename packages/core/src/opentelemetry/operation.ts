import type { Attributes } from '@opentelemetry/api'
import type { Destination } from '../wire-message.ts'
import { ATTRIBUTE, REPLY_TEMPLATE, systemOf } from './names.ts'

/** What one span and the metrics beside it say of an operation: few values each, known from code. */
export interface Described {
  readonly spanName: string
  readonly attributes: Attributes
}

export function describe(
  name: string,
  type: string | undefined,
  destination: Destination | undefined,
  transport: string | undefined,
): Described {
  const reply = destination?.kind === 'reply'
  const place = reply ? REPLY_TEMPLATE : destination?.name
  return {
    spanName: place === undefined ? name : `${name} ${place}`,
    attributes: {
      [ATTRIBUTE.system]: systemOf(transport),
      [ATTRIBUTE.operationName]: name,
      ...(type !== undefined && { [ATTRIBUTE.operationType]: type }),
      ...(place !== undefined && { [reply ? ATTRIBUTE.destinationTemplate : ATTRIBUTE.destinationName]: place }),
      ...(reply && { [ATTRIBUTE.destinationTemporary]: true }),
    },
  }
}

/** What sending is called where it goes. */
export function sendName({ kind }: Destination): string {
  if (kind === 'topic') return 'publish'
  return kind === 'reply' ? 'reply' : 'send'
}

import { AssertionError } from 'node:assert'
import type { Transport } from '../../transport.ts'
import type { Destination } from '../../wire-message.ts'
import type { CaseContext } from '../case-context.ts'
import { isTyped } from '../errors-of.ts'
import { samples } from '../sample.ts'
import type { SuiteCase } from '../suite-case.ts'

/** Brokers confuse these in names: case, and the three marks. */
const CONFUSING = ['a.b', 'A.b', 'a-b', 'a_b']

export const isolation: SuiteCase = {
  id: '4',
  title: 'twenty topics stay apart, also where names differ only by case, dot, dash and underscore',
  async run(context) {
    const labels = [...CONFUSING, ...Array.from({ length: 16 }, (_, number) => `plain${number}`)]
    const clients = await context.clients(4)
    const taken = await Promise.all(
      labels.map((label, index) => open(context, clients[index % clients.length]!, label)),
    )
    const opened = taken.filter((topic) => topic !== undefined)
    await Promise.all(
      opened.map(({ destination, service }, index) =>
        context.publish(clients[index % clients.length]!, samples(destination, context.share(100)), [service]),
      ),
    )
    await context.finish()
  },
}

async function open(
  context: CaseContext,
  transport: Transport,
  label: string,
): Promise<{ destination: Destination; service: string } | undefined> {
  const destination = context.topic(label)
  // the services' names are as alike as the topics'
  const service = context.name(`for-${label}`)
  try {
    await context.read({
      transport,
      service,
      from: [destination],
      handle: ({ message }) => {
        const { name } = message.destination
        if (name !== destination.name)
          context.broken(`a message of "${name}" came to the reader of "${destination.name}"`)
        return { outcome: 'ack' }
      },
    })
  } catch (error) {
    if (CONFUSING.includes(label) && isTyped(error)) {
      context.leftOut.push(`the name "${label}" was refused, with a typed error`)
      return undefined
    }
    throw new AssertionError({ message: `topic "${destination.name}" could not be read: ${String(error)}` })
  }
  return { destination, service }
}

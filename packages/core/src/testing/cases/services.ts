import { samples } from '../sample.ts'
import type { SuiteCase } from '../suite-case.ts'

export const services: SuiteCase = {
  id: '5',
  title: 'each of two services gets every message, one of its three instances each',
  lacks: ({ capabilities }) => (capabilities.services ? undefined : 'services'),
  async run(context) {
    const destination = context.topic()
    const names = ['one', 'two'].map((label) => context.name(label))
    const members = names.flatMap((service) => [service, service, service])
    const clients = await context.clients(members.length)
    await context.declare(clients[0]!, [destination], names)
    await Promise.all(
      members.map((service, index) => context.read({ transport: clients[index]!, service, from: [destination] })),
    )
    await context.publish(await context.client(), samples(destination, context.share(300)), names)
    await context.finish()
  },
}

export const broadcast: SuiteCase = {
  id: '6',
  title: 'a broadcast reaches each of five instances',
  lacks: ({ capabilities }) => (capabilities.broadcast ? undefined : 'broadcast'),
  async run(context) {
    const destination = context.topic()
    const clients = await context.clients(5)
    await context.declare(clients[0]!, [destination])
    const readers = clients.map((_, index) => context.name(`all.${index}`))
    await Promise.all(
      clients.map((transport, index) =>
        context.read({ transport, service: readers[index]!, from: [destination], mode: 'broadcast', start: 'latest' }),
      ),
    )
    await context.publish(await context.client(), samples(destination, context.share(100)), readers)
    await context.finish()
  },
}

export const replay: SuiteCase = {
  id: '7',
  title: 'a new service reads the whole history, or only what comes after it, as it asks',
  lacks: ({ capabilities }) => (capabilities.replay ? undefined : 'replay'),
  async run(context) {
    const destination = context.topic()
    const [sender, early, late] = await context.clients(3)
    const everything = context.name('everything')
    const news = context.name('news')
    await context.declare(sender!, [destination])
    await context.publish(sender!, samples(destination, context.share(100)), [everything])
    await context.read({ transport: late!, service: news, from: [destination], start: 'latest' })
    await context.read({ transport: early!, service: everything, from: [destination], start: 'earliest' })
    await context.publish(sender!, samples(destination, 10), [everything, news])
    await context.finish()
  },
}

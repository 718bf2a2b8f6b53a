import { ok } from 'node:assert/strict'
import { gate } from '../../gate.ts'
import { samples } from '../../sample.ts'
import type { SuiteCase } from '../../suite-case.ts'
import { publishUntilConfirmed } from './broker-ends.ts'

const COUNT = 10

export const channelsClosed: SuiteCase = {
  id: '51',
  title: 'when only its channel or session ends a consumer comes back, and late settlements settle nothing',
  needs: 'closeChannels',
  lacks: ({ capabilities }) => (capabilities.persistent ? undefined : 'persistence'),
  async run(context) {
    const { closeChannels } = context.options.hooks
    const [sender, receiver] = await context.clients(2)
    const destination = context.topic()
    const service = context.name('comes-back')
    /** One gate and one count for each session that the consumer had. */
    const rounds = Array.from({ length: 3 }, () => ({ ...gate(), ids: new Set<string>() }))
    let round = 0
    await context.read({
      transport: receiver!,
      service,
      from: [destination],
      maxOpen: 2 * COUNT,
      handle: async ({ message }) => {
        const { opened, ids } = rounds[round]!
        ids.add(message.id)
        context.wake()
        await opened
        return { outcome: 'ack' }
      },
    })
    await context.publish(sender!, samples(destination, COUNT), [service])
    const openAll = (session: number) =>
      context.until(() => rounds[session]!.ids.size >= COUNT, `all ${COUNT} to be open in session ${session + 1}`)
    await openAll(0)
    // counted up first: the consumer may be back before the broker has answered who asked it to close
    round = 1
    await closeChannels!()
    await openAll(1)
    rounds[0]!.open()
    await context.pause(context.options.quietMs)
    // what a late settlement took from the second session is missing in the third
    round = 2
    await closeChannels!()
    rounds[2]!.open()
    await openAll(2)
    rounds[1]!.open()
    await publishUntilConfirmed(context, sender!, destination, service)
    await context.finish(['duplicated'])
  },
}

export const sourceDeleted: SuiteCase = {
  id: '52',
  title: 'a service whose source is deleted reads again once it is there, or says that it does not: never silent',
  needs: 'deleteSource',
  async run(context) {
    const [sender, receiver] = await context.clients(2)
    const destination = context.queue()
    const service = context.name('bereft')
    const subscription = await context.read({ transport: receiver!, service, from: [destination] })
    let ended = false
    void subscription.ended.then((error) => (ended = error !== undefined))
    await context.publish(sender!, samples(destination, 5), [service])
    await context.finish()
    await context.options.hooks.deleteSource!(destination, service)
    const seen = context.ledger.count(service)
    const says = async () => ended || (await receiver!.health()).some(({ state }) => state !== 'up')
    const reads = () => context.ledger.count(service) > seen
    let said = false
    await context.eventually(async () => {
      // what is published while the source is missing may fail, and may be lost with it
      await Promise.allSettled(sender!.publish(samples(destination, 1), { timeoutMs: 2_000 }))
      said ||= await says()
      return reads() || ended
    }, 'the service to read again, or to end')
    // one that ended has to be started again, and health tells who looks
    if (!reads()) ok(said, 'a service that lost its source neither reads nor says so')
    context.judge(['unexpected'])
  },
}

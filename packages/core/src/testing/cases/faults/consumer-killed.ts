import { ok } from 'node:assert/strict'
import { ChildConsumer } from '../../child-consumer.ts'
import { samples } from '../../sample.ts'
import type { SuiteCase } from '../../suite-case.ts'

const COUNT = 100
const HELD = 49

export const consumerKilled: SuiteCase = {
  id: '47',
  title: 'a consumer killed while it handles a message loses none: a survivor gets it soon',
  needs: 'process',
  lacks: ({ capabilities }) => (capabilities.persistent ? undefined : 'persistence'),
  async run(context) {
    const hooks = context.options.hooks.process!
    const [sender, survivor] = await context.clients(2)
    const destination = context.topic()
    const service = context.name('killed')
    await context.declare(sender!, [destination], [service])
    await using child = await ChildConsumer.start(hooks, context, {
      service,
      from: [destination],
      maxOpen: 10,
      holdNumber: HELD,
    })
    const messages = samples(destination, COUNT)
    await context.publish(sender!, messages, [service])
    await context.until(() => child.saw(HELD), `the consumer to handle message ${HELD + 1}`)
    await child.kill()
    const killedMs = performance.now()
    let tookMs: number | undefined
    await context.read({
      transport: survivor!,
      service,
      from: [destination],
      handle: ({ message }) => {
        if (message.id === messages[HELD]!.id) tookMs ??= performance.now() - killedMs
        return { outcome: 'ack' }
      },
    })
    await context.until(() => tookMs !== undefined, 'the message that was being handled to come again')
    const withinMs = hooks.takeoverMs + 5_000
    ok(tookMs! <= withinMs, `it came again after ${Math.round(tookMs!)} ms, ${withinMs} ms are right`)
    await context.finish(['duplicated'])
  },
}

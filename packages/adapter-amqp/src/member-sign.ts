import type { AmqpChannel } from './client.ts'

/** Something that instances tell each other by consuming a queue that nothing is sent to: the broker counts them. */
export class MemberSign {
  readonly #channel: AmqpChannel
  readonly #queue: string
  #consumerTag: string | undefined

  constructor(channel: AmqpChannel, queue: string) {
    this.#channel = channel
    this.#queue = queue
  }

  async show(shown: boolean): Promise<void> {
    const consumerTag = this.#consumerTag
    if (shown === (consumerTag !== undefined)) return
    if (consumerTag === undefined) {
      // what a stranger sends there is given back when the channel ends, one at most
      await this.#channel.prefetch(1)
      this.#consumerTag = (await this.#channel.consume(this.#queue, () => {})).consumerTag
    } else {
      this.#consumerTag = undefined
      await this.#channel.cancel(consumerTag)
    }
  }
}

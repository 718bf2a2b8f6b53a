export interface KafkaPorts {
  readonly client: number
  readonly server: number
  readonly internal: number
  readonly controller: number
}

/**
 * One node that is broker and controller. The broker talks to itself over a listener of its own, so that cutting the
 * clients' line disturbs nothing inside.
 */
export function serverProperties(data: string, { client, server, internal, controller }: KafkaPorts): string {
  return Object.entries({
    'process.roles': 'broker,controller',
    'node.id': '1',
    'controller.quorum.voters': `1@127.0.0.1:${controller}`,
    'controller.listener.names': 'CONTROLLER',
    'inter.broker.listener.name': 'INTERNAL',
    listeners: `CLIENT://127.0.0.1:${server},INTERNAL://127.0.0.1:${internal},CONTROLLER://127.0.0.1:${controller}`,
    'advertised.listeners': `CLIENT://127.0.0.1:${client},INTERNAL://127.0.0.1:${internal}`,
    'listener.security.protocol.map': 'CLIENT:PLAINTEXT,INTERNAL:PLAINTEXT,CONTROLLER:PLAINTEXT',
    'log.dirs': data,
    'auto.create.topics.enable': 'false',
    'group.initial.rebalance.delay.ms': '0',
    // A killed broker is let in again only when its old session has run out.
    'broker.session.timeout.ms': '2000',
    'broker.heartbeat.interval.ms': '500',
    ...singleCopy('offsets.topic', 'num.partitions', '4'),
    ...singleCopy('transaction.state.log', 'num.partitions', '4'),
    ...singleCopy('share.coordinator.state.topic', 'num.partitions', '1'),
    'transaction.state.log.min.isr': '1',
    'share.coordinator.state.topic.min.isr': '1',
  })
    .map(([name, value]) => `${name}=${value}\n`)
    .join('')
}

function singleCopy(topic: string, partitions: string, count: string): Record<string, string> {
  return { [`${topic}.replication.factor`]: '1', [`${topic}.${partitions}`]: count }
}

/** Everything from `info` to standard output, which is the server's log file. */
export const LOGGING = `<Configuration status="warn">
  <Appenders>
    <Console name="out"><PatternLayout pattern="%d{HH:mm:ss.SSS} %p %c{1} %m%n"/></Console>
  </Appenders>
  <Loggers>
    <Logger name="state.change.logger" level="warn"/>
    <Root level="info"><AppenderRef ref="out"/></Root>
  </Loggers>
</Configuration>
`

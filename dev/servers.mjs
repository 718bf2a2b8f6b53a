// npm run servers: PostgreSQL, RabbitMQ and Kafka by hand, until Ctrl-C.
import { command } from './bootstrap.mjs'

await command('dev/commands/servers.ts', { build: false })

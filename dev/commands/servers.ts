// npm run servers [-- --rabbitmq 4.3]: starts the three servers, prints their addresses, and stops them on Ctrl-C.
import { parseArgs } from 'node:util'
import { say } from '../bootstrap/paths.mjs'
import { startAll } from '../servers/all.ts'
import { rabbitMqVersion } from '../servers/index.ts'
import { stopRequested } from './stop-requested.ts'

const stop = stopRequested()
try {
  const { values } = parseArgs({ options: { rabbitmq: { type: 'string', default: '4.0' } } })
  await using servers = await startAll({}, rabbitMqVersion(values.rabbitmq))
  for (const [variable, url] of Object.entries(servers.urls)) console.log(`export ${variable}=${url}`)
  say('Ctrl-C stops them and deletes their data')
  await stop
} catch (error) {
  say((error as Error).message)
  process.exitCode = 1
}
process.exit()

// npm run servers: starts the three servers, prints their addresses, and stops them on Ctrl-C.
import { say } from '../bootstrap/paths.mjs'
import { startAll } from '../servers/all.ts'
import { stopRequested } from './stop-requested.ts'

const stop = stopRequested()
try {
  await using servers = await startAll({})
  for (const [variable, url] of Object.entries(servers.urls)) console.log(`export ${variable}=${url}`)
  say('Ctrl-C stops them and deletes their data')
  await stop
} catch (error) {
  say((error as Error).message)
  process.exitCode = 1
}

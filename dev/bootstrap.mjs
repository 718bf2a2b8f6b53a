// Everything here runs on the machine's own Node (20 or newer) before any package is installed: no dependencies.
import { buildStale } from './bootstrap/build.mjs'
import { ensureInstalled } from './bootstrap/install.mjs'
import { say } from './bootstrap/paths.mjs'
import { run } from './bootstrap/run.mjs'

/** Brings the workspace up to date, runs a script on the toolchain's Node and ends with its exit code. */
export async function command(script, { build = true, args = process.argv.slice(2), stopWithinMs } = {}) {
  try {
    await ensureInstalled()
    if (build) await buildStale()
    process.exitCode = await run(script, args, { stopWithinMs })
  } catch (error) {
    say(error.message)
    process.exitCode = 1
  }
}

export { buildStale, ensureInstalled, say }

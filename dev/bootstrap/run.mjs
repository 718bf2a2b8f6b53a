import { spawn } from 'node:child_process'
import { constants } from 'node:os'
import { join } from 'node:path'
import { root } from './paths.mjs'
import { toolchainEnvironment, toolchainNode } from './toolchain.mjs'

/** Ctrl-C reaches the script twice within milliseconds: once from the terminal, once handed on by npm. */
const ONE_SIGNAL_MS = 500
/** After a second signal the command has this long to end its own processes. */
const AT_ONCE_MS = 1_000

/**
 * Runs a script with the toolchain's Node and resolves with its exit code. The script has a process group of its own, so
 * that signals reach it through here only, and nothing of that group outlives it.
 */
export function run(script, args, { stopWithinMs, cwd = root } = {}) {
  const child = spawn(
    toolchainNode(),
    [
      '--disable-warning=TimeoutNegativeWarning',
      '--import',
      join(root, 'dev/bootstrap/end-with-parent.mjs'),
      script,
      ...args,
    ],
    { cwd, env: toolchainEnvironment(), detached: true, stdio: ['ignore', 'inherit', 'inherit', 'ipc'] },
  )
  let firstAt
  const onSignal = (signal) => {
    const now = Date.now()
    if (firstAt === undefined) {
      firstAt = now
      child.kill(signal)
      if (stopWithinMs !== undefined) setTimeout(() => endGroup(child.pid), stopWithinMs).unref()
    } else if (now - firstAt > ONE_SIGNAL_MS) {
      child.kill(signal)
      setTimeout(() => endGroup(child.pid), AT_ONCE_MS).unref()
    }
  }
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, onSignal)
  return new Promise((resolve, reject) => {
    child.once('error', reject)
    child.once('exit', (code, signal) => {
      endGroup(child.pid)
      for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.off(name, onSignal)
      resolve(code ?? 128 + constants.signals[signal])
    })
  })
}

function endGroup(pid) {
  try {
    process.kill(-pid, 'SIGKILL')
  } catch {
    // nobody is left in it
  }
}

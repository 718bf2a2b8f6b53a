import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { root } from './paths.mjs'

/** Node 24 as installed by npm; the machine's own Node only has to be good enough to run npm. */
export function toolchainNode() {
  const installed = join(root, 'node_modules', '.bin', 'node')
  if (existsSync(installed) && spawnSync(installed, ['--version']).status === 0) return installed
  const [major] = process.versions.node.split('.').map(Number)
  if (major >= 24) return process.execPath
  throw new Error('no Node 24 for this platform among the npm packages: install Node 24 and run the command with it')
}

/** The environment in which `node` and every command of the workspace run on the toolchain's Node. */
export function toolchainEnvironment() {
  return { ...process.env, PATH: `${join(root, 'node_modules', '.bin')}${delimiter}${process.env.PATH ?? ''}` }
}

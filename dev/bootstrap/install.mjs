import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { withLock } from './lock.mjs'
import { root, say } from './paths.mjs'

/** Runs `npm ci` unless what is installed is what package-lock.json asks for. */
export async function ensureInstalled() {
  if (isInstalled()) return
  await withLock('install', () => {
    if (isInstalled()) return
    say('installing packages (npm ci); the first time this takes about a minute')
    const startedAt = Date.now()
    // npm's own words go to stderr: the last line on stdout belongs to the command.
    const { status, error } = spawnSync('npm', ['ci', '--no-fund', '--no-audit', '--loglevel=error'], {
      cwd: root,
      stdio: ['ignore', 2, 2],
    })
    if (error !== undefined || status !== 0)
      throw new Error(`npm ci failed (${error?.message ?? `exit code ${status}`})`)
    say(`packages installed in ${Math.round((Date.now() - startedAt) / 1000)} s`)
  })
}

/** npm writes node_modules/.package-lock.json last, so a half-finished install never looks complete. */
function isInstalled() {
  const wanted = packagesOf('package-lock.json')
  const present = packagesOf('node_modules/.package-lock.json')
  if (wanted === undefined) throw new Error('package-lock.json is missing or unreadable: restore it from git')
  if (present === undefined) return false
  return Object.entries(wanted).every(([path, entry]) => {
    if (path === '' || !path.startsWith('node_modules/') || entry.link) return true
    const found = present[path]
    if (found === undefined) return Boolean(entry.optional || entry.devOptional || entry.peer)
    return found.version === entry.version && found.integrity === entry.integrity
  })
}

function packagesOf(file) {
  try {
    return JSON.parse(readFileSync(join(root, file), 'utf8')).packages
  } catch {
    return undefined
  }
}

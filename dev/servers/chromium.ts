import { existsSync } from 'node:fs'
import { say } from '../bootstrap/paths.mjs'
import { execute, isInstalled } from './execute.ts'

const USUAL_PLACES = [
  '/usr/bin/chromium',
  '/usr/bin/chromium-browser',
  '/usr/bin/google-chrome',
  '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome',
]

/** The browser of the browser tests: CHROMIUM_PATH or an installed one, else Debian's is installed. @returns its path */
export async function findChromium(): Promise<string> {
  const given = process.env.CHROMIUM_PATH
  if (given) {
    if (existsSync(given)) return given
    throw new Error(`CHROMIUM_PATH names ${given}, which doesn't exist`)
  }
  const found = () => USUAL_PLACES.find((path) => existsSync(path))
  if (found() === undefined && process.getuid?.() === 0 && (await isInstalled('apt-get'))) {
    say('installing Chromium for the browser tests (apt-get install chromium)')
    const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' }
    await execute('apt-get', ['-qq', 'update'], { env }).catch(() => {})
    await execute('apt-get', ['-qq', 'install', '-y', '--no-install-recommends', 'chromium'], { env })
  }
  const path = found()
  if (path === undefined) throw new Error('the browser tests need Chromium: install it, or set CHROMIUM_PATH')
  return path
}

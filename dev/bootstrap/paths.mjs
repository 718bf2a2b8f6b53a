import { homedir } from 'node:os'
import { fileURLToPath } from 'node:url'
import { join, resolve } from 'node:path'

/** The folder that holds package.json of the workspace. */
export const root = fileURLToPath(new URL('../..', import.meta.url)).replace(/\/$/, '')

/** What may be deleted at any time and is made again: fetched servers, build stamps, locks, logs. */
export const cacheFolder = process.env.WAYBILL_CACHE
  ? resolve(process.env.WAYBILL_CACHE.replace(/^~(?=\/)/, homedir()))
  : join(root, '.cache')

/** One line about what is being done, on stderr so that a command's output stays clean. */
export function say(line) {
  process.stderr.write(`[waybill] ${line}\n`)
}

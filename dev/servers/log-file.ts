import { mkdirSync, readdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { cacheFolder } from '../bootstrap/paths.mjs'

const KEPT = 60

/** A new log that stays when its server is gone; the oldest ones make room. */
export function newLogFile(name: string): string {
  const folder = join(cacheFolder, 'logs')
  mkdirSync(folder, { recursive: true })
  const old = readdirSync(folder).sort()
  for (const file of old.slice(0, Math.max(0, old.length - KEPT))) rmSync(join(folder, file), { force: true })
  const time = new Date().toISOString().replace(/[:.]/g, '-')
  return join(folder, `${time}-${name}-${process.pid}-${Math.random().toString(36).slice(2, 6)}.log`)
}

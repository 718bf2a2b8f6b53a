import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { cacheFolder, say } from './paths.mjs'

/** Runs `work` while no other process of this workspace holds the lock of that name; a dead holder's lock is taken over. */
export async function withLock(name, work) {
  const file = join(cacheFolder, 'locks', name)
  mkdirSync(join(cacheFolder, 'locks'), { recursive: true })
  for (let told = false; !take(file); told = true) {
    const holder = holderOf(file)
    if (holder !== undefined && !isAlive(holder)) breakLock(file)
    else {
      if (!told) say(`waiting for process ${holder ?? '?'}, which is busy with ${name}`)
      await wait(200)
    }
  }
  try {
    return await work()
  } finally {
    rmSync(file, { force: true })
  }
}

function take(file) {
  try {
    writeFileSync(file, String(process.pid), { flag: 'wx' })
    return true
  } catch (error) {
    if (error.code === 'EEXIST') return false
    throw error
  }
}

function holderOf(file) {
  try {
    return Number(readFileSync(file, 'utf8')) || undefined
  } catch {
    return undefined
  }
}

function isAlive(pid) {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return error.code === 'EPERM'
  }
}

/** Of several processes that find the same dead lock only one can rename it, so a fresh lock is never removed. */
function breakLock(file) {
  try {
    const taken = `${file}.${process.pid}`
    renameSync(file, taken)
    if (isAlive(holderOf(taken) ?? 0)) renameSync(taken, file)
    else rmSync(taken, { force: true })
  } catch {
    // another process was quicker
  }
}

import type * as fsModule from 'node:fs'
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, expect, test, vi } from 'vitest'
import { steadyOutput } from './steady-output.ts'

const disk = vi.hoisted(() => ({ room: Infinity }))
vi.mock('node:fs', async (original) => {
  const fs = await original<typeof fsModule>()
  const write = (fd: number, bytes: Buffer, from: number) => {
    const length = Math.min(disk.room, bytes.length - from)
    if (length === 0) throw Object.assign(new Error('no space left on device'), { code: 'ENOSPC' })
    disk.room -= length
    return fs.writeSync(fd, bytes, from, length)
  }
  return { ...fs, writeSync: write }
})
afterEach(() => void (disk.room = Infinity))

function fixture() {
  const folder = mkdtempSync(join(tmpdir(), 'waybill-'))
  const path = join(folder, 'said')
  const fd = openSync(path, 'a')
  return {
    out: steadyOutput({ fd, write: () => expect.unreachable('by Node') }),
    said: () => readFileSync(path, 'utf8'),
    [Symbol.dispose]() {
      closeSync(fd)
      rmSync(folder, { recursive: true })
    },
  }
}

test('lines that a full disk does not take are dropped, counted, and told of', () => {
  using at = fixture()
  at.out.write('one')
  disk.room = 2
  at.out.write('two')
  at.out.write('three')
  expect(at.out.lost).toBe(2)
  disk.room = Infinity
  at.out.write('four')
  expect(at.out.lost).toBe(0)
  at.out.write('five')
  expect(at.said()).toBe('one\ntw\n2 lines could not be written: ENOSPC\nfour\nfive\n')
})

test('what is no file is left to Node', () => {
  const write = vi.fn()
  const out = steadyOutput({ fd: openSync('/dev/null', 'w'), write })
  out.write('one')
  expect(write).toHaveBeenCalledExactlyOnceWith('one\n')
  expect(out.lost).toBe(0)
})

import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { adapterSuite } from '@waybill/core/testing'
import { afterAll, describe, it } from 'vitest'
import { folder } from './folder-transport.ts'

const root = await mkdtemp(join(tmpdir(), 'folder-transport-'))
afterAll(() => rm(root, { recursive: true, force: true }))

// #region example
adapterSuite({
  name: 'folder',
  create: () => folder(root),
  runner: { describe, it },
  volume: 500,
  noConnection: true,
})
// #endregion

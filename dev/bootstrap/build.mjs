import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { withLock } from './lock.mjs'
import { cacheFolder, root, say } from './paths.mjs'
import { toolchainEnvironment, toolchainNode } from './toolchain.mjs'

/** Core first: the others are built against its declarations. */
const BUILD_ORDER = ['core', 'adapter-amqp', 'adapter-kafka', 'adapter-grpc', 'outbox-pg']

/** Builds each package whose sources, configuration or dependencies changed since its last build. */
export async function buildStale({ force = false } = {}) {
  const stale = () => BUILD_ORDER.filter((name) => force || !isBuilt(name))
  if (stale().length === 0) return
  await withLock('build', () => {
    for (const name of stale()) build(name)
  })
}

function build(name) {
  const folder = join(root, 'packages', name)
  const hash = inputHash(name)
  const startedAt = Date.now()
  say(`building @waybill/${name}`)
  // Built beside the old one and swapped in, so that whoever runs from dist never sees a half-written one.
  const next = '.dist-next'
  rmSync(join(folder, next), { recursive: true, force: true })
  const { status, stdout, stderr } = spawnSync(
    toolchainNode(),
    [join(root, 'node_modules/tsup/dist/cli-default.js'), '--silent', '--out-dir', next],
    { cwd: folder, env: toolchainEnvironment(), encoding: 'utf8' },
  )
  if (status !== 0 || !existsSync(join(folder, next, 'index.d.cts'))) {
    rmSync(join(folder, next), { recursive: true, force: true })
    throw new Error(`building @waybill/${name} failed:\n${stdout}${stderr}`)
  }
  const old = join(folder, `.dist-old-${process.pid}`)
  if (existsSync(join(folder, 'dist'))) renameSync(join(folder, 'dist'), old)
  renameSync(join(folder, next), join(folder, 'dist'))
  rmSync(old, { recursive: true, force: true })
  mkdirSync(join(cacheFolder, 'built'), { recursive: true })
  writeFileSync(stampOf(name), hash)
  say(`built @waybill/${name} in ${((Date.now() - startedAt) / 1000).toFixed(1)} s`)
}

function isBuilt(name) {
  if (!existsSync(join(root, 'packages', name, 'dist', 'index.js')) || !existsSync(stampOf(name))) return false
  return readFileSync(stampOf(name), 'utf8') === inputHash(name)
}

function stampOf(name) {
  return join(cacheFolder, 'built', name)
}

function inputHash(name) {
  const hash = createHash('sha256')
  const folder = join(root, 'packages', name)
  const files = [join(folder, 'package.json'), join(folder, 'tsup.config.ts'), ...sources(join(folder, 'src'))]
  for (const file of [...files, join(root, 'tsconfig.base.json'), join(root, 'package-lock.json')]) {
    hash
      .update(`${file.slice(root.length)}\0`)
      .update(readFileSync(file))
      .update('\0')
  }
  return name === 'core' ? hash.digest('hex') : hash.update(inputHash('core')).digest('hex')
}

function sources(folder) {
  return readdirSync(folder, { withFileTypes: true })
    .sort((a, b) => (a.name < b.name ? -1 : 1))
    .flatMap((entry) => {
      const path = join(folder, entry.name)
      if (entry.isDirectory()) return sources(path)
      return /\.test(-d)?\.ts$/.test(entry.name) ? [] : [path]
    })
}

import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { withLock } from './lock.mjs'
import { cacheFolder, root, say } from './paths.mjs'
import { toolchainEnvironment, toolchainNode } from './toolchain.mjs'

/**
 * What is built, in order: core first, the others are built against its declarations. `output` is the folder inside dist,
 * `proof` the file that is there only after a whole build.
 */
const TARGETS = [
  ...['core', 'adapter-amqp', 'adapter-kafka', 'adapter-grpc', 'outbox-pg'].map((name) => ({
    name: `@waybill/${name}`,
    folder: `packages/${name}`,
    source: 'src',
    output: '.',
    proof: 'index.d.cts',
  })),
  { name: 'the page', folder: 'examples/rentsport', source: 'src/page', output: 'page', proof: 'index.html' },
]

/** Builds each package whose sources, configuration or dependencies changed since its last build. */
export async function buildStale({ force = false } = {}) {
  const stale = () => TARGETS.filter((target) => force || !isBuilt(target))
  if (stale().length === 0) return
  await withLock('build', () => {
    for (const target of stale()) build(target)
  })
}

function build(target) {
  const folder = join(root, target.folder)
  const hash = inputHash(target)
  const startedAt = Date.now()
  say(`building ${target.name}`)
  // Built beside the old one and swapped in, so that whoever runs from dist never sees a half-written one.
  const next = join(folder, '.dist-next')
  rmSync(next, { recursive: true, force: true })
  const { status, stdout, stderr } = spawnSync(
    toolchainNode(),
    [join(root, 'node_modules/tsup/dist/cli-default.js'), '--silent', '--out-dir', join(next, target.output)],
    { cwd: folder, env: toolchainEnvironment(), encoding: 'utf8' },
  )
  if (status !== 0 || !existsSync(join(next, target.output, target.proof))) {
    rmSync(next, { recursive: true, force: true })
    throw new Error(`building ${target.name} failed:\n${stdout}${stderr}`)
  }
  const old = join(folder, `.dist-old-${process.pid}`)
  if (existsSync(join(folder, 'dist'))) renameSync(join(folder, 'dist'), old)
  renameSync(next, join(folder, 'dist'))
  rmSync(old, { recursive: true, force: true })
  mkdirSync(join(cacheFolder, 'built'), { recursive: true })
  writeFileSync(stampOf(target), hash)
  say(`built ${target.name} in ${((Date.now() - startedAt) / 1000).toFixed(1)} s`)
}

function isBuilt(target) {
  const proof = join(root, target.folder, 'dist', target.output, target.proof)
  if (!existsSync(proof) || !existsSync(stampOf(target))) return false
  return readFileSync(stampOf(target), 'utf8') === inputHash(target)
}

function stampOf({ folder }) {
  return join(cacheFolder, 'built', folder.replace('/', '-'))
}

function inputHash(target) {
  const hash = createHash('sha256')
  const folder = join(root, target.folder)
  const files = [join(folder, 'package.json'), join(folder, 'tsup.config.ts'), ...sources(join(folder, target.source))]
  const shared = ['tsconfig.base.json', 'tsup.base.ts', 'package-lock.json'].map((name) => join(root, name))
  for (const file of [...files, ...shared]) {
    hash
      .update(`${file.slice(root.length)}\0`)
      .update(readFileSync(file))
      .update('\0')
  }
  const [core] = TARGETS
  return target === core ? hash.digest('hex') : hash.update(inputHash(core)).digest('hex')
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

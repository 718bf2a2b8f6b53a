// npm run packaging: packs each package, checks the tarballs, and uses them in an empty project outside of the workspace.
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { root, say } from '../bootstrap/paths.mjs'
import { execute } from '../servers/execute.ts'
import { tryAsStranger, type Packed } from './stranger.ts'
import { typeAmqpReadme } from './type-readme.ts'

const ALLOWED = /^(dist\/.+|package\.json|README\.md|LICENSE)$/
const INSTALL_SCRIPTS = ['preinstall', 'install', 'postinstall', 'prepare']

const work = mkdtempSync(join(tmpdir(), 'waybill-packaging-'))
const complaints: string[] = []
try {
  const packed: Packed[] = []
  for (const folder of readdirSync(join(root, 'packages')).sort()) packed.push(await pack(folder))
  for (const one of packed) await check(one)
  say('installing the tarballs in an empty project')
  complaints.push(...(await tryAsStranger(packed, work)))
  say('typing the README of the RabbitMQ adapter in an empty folder')
  await typeAmqpReadme(packed, work)
} catch (error) {
  complaints.push((error as Error).message)
} finally {
  rmSync(work, { recursive: true, force: true })
}
for (const complaint of complaints) console.error(complaint)
if (complaints.length === 0) say('every package is fit to publish')
process.exitCode = complaints.length === 0 ? 0 : 1

async function pack(folder: string): Promise<Packed> {
  mkdirSync(work, { recursive: true })
  const output = await execute('npm', ['pack', '--json', '--pack-destination', work], {
    cwd: join(root, 'packages', folder),
  })
  const [entry] = JSON.parse(output) as { name: string; filename: string; files: { path: string }[] }[]
  if (entry === undefined) throw new Error(`npm pack said nothing about packages/${folder}`)
  for (const { path } of entry.files) if (!ALLOWED.test(path)) complaints.push(`${entry.name}: holds ${path}`)
  const manifest = JSON.parse(
    readFileSync(join(root, 'packages', folder, 'package.json'), 'utf8'),
  ) as Packed['manifest']
  for (const script of INSTALL_SCRIPTS) {
    if (manifest.scripts?.[script] !== undefined) complaints.push(`${entry.name}: has the script ${script}`)
  }
  for (const file of ['LICENSE', 'README.md']) {
    if (!entry.files.some(({ path }) => path === file)) complaints.push(`${entry.name}: has no ${file}`)
  }
  return { name: entry.name, tarball: join(work, entry.filename), manifest }
}

/** publint on what npm would publish; attw on how TypeScript finds the types in each module system. */
async function check({ name, tarball }: Packed): Promise<void> {
  say(`checking ${name}`)
  const bin = (program: string) => join(root, 'node_modules/.bin', program)
  // Node before 16 can't read subpath exports ("node10"); engines ask for 22.12.
  const checks = [
    execute(bin('publint'), ['run', tarball, '--strict']),
    execute(bin('attw'), [tarball, '--profile', 'node16', '--format', 'ascii', '--no-emoji', '--no-color']),
  ]
  for (const result of await Promise.allSettled(checks)) {
    if (result.status === 'rejected') complaints.push(`${name}: ${(result.reason as Error).message}`)
  }
}

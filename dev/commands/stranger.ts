import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { execute } from '../servers/execute.ts'
import { checkUserTypes, USER_TYPES_NEED } from './user-types.ts'

export interface Packed {
  readonly name: string
  readonly tarball: string
  readonly manifest: {
    readonly scripts?: Readonly<Record<string, string>>
    readonly exports: Readonly<Record<string, unknown>>
    readonly peerDependencies?: Readonly<Record<string, string>>
    readonly bin?: Readonly<Record<string, string>>
  }
}

/**
 * Installs the tarballs in an empty project, then imports and requires each entry, compiles what a user writes, and runs
 * each command there.
 * @returns what went wrong
 */
export async function tryAsStranger(packed: readonly Packed[], folder: string): Promise<string[]> {
  const project = join(folder, 'project')
  mkdirSync(project)
  const dependencies = Object.fromEntries(packed.map(({ name, tarball }) => [name, `file:${tarball}`]))
  // The packages name each other by version; until published, those versions are the tarballs.
  const manifest = { name: 'stranger', private: true, dependencies, overrides: dependencies }
  writeFileSync(join(project, 'package.json'), JSON.stringify(manifest))
  await execute('npm', ['install', '--prefer-offline', '--ignore-scripts', '--no-audit', '--no-fund'], { cwd: project })
  const entries = packed.flatMap(({ name, manifest }) =>
    Object.keys(manifest.exports)
      .filter((entry) => entry !== './package.json')
      .map((entry) => name + entry.slice(1)),
  )
  // The suite of core/testing is written for vitest, which a project with an adapter has and this one has not.
  const importable = entries.filter((entry) => !entry.endsWith('/testing'))
  const peers = Object.assign({}, ...packed.map(({ manifest }) => manifest.peerDependencies)) as Record<string, string>
  // without optional peers: only a subpath may ask for one, and only for one that its package names
  const waiting = await missingPeers(project, importable, Object.keys(peers))
  const wanted = [...waiting.map((peer) => `${peer}@${peers[peer]}`), ...USER_TYPES_NEED]
  await execute('npm', ['install', '--prefer-offline', '--ignore-scripts', '--no-audit', '--no-fund', ...wanted], {
    cwd: project,
  })
  writeFileSync(join(project, 'esm.mjs'), importable.map(esmLine).join(''))
  writeFileSync(join(project, 'cjs.cjs'), importable.map(cjsLine).join(''))
  const commands = packed.flatMap(({ manifest }) => Object.keys(manifest.bin ?? {}))
  const attempts = [
    checkUserTypes(project),
    execute(process.execPath, ['esm.mjs'], { cwd: project }),
    execute(process.execPath, ['cjs.cjs'], { cwd: project }),
    ...commands.map((command) => execute(join(project, 'node_modules/.bin', command), ['--help'], { cwd: project })),
  ]
  const results = await Promise.allSettled(attempts)
  return results.flatMap((result) => (result.status === 'rejected' ? [(result.reason as Error).message] : []))
}

/** Which optional peers the subpaths lack before anybody installed them; anything else that fails is an error. */
async function missingPeers(
  project: string,
  entries: readonly string[],
  peers: readonly string[],
): Promise<readonly string[]> {
  const script = `
    const [entries, peers] = ${JSON.stringify([entries, peers])}
    const missing = new Set()
    for (const entry of entries) {
      try {
        await import(entry)
      } catch (error) {
        const subpath = entry.split('/').length > (entry.startsWith('@') ? 2 : 1)
        const peer = subpath && peers.find((name) => error.message.includes("'" + name + "'"))
        if (!peer) throw error
        missing.add(peer)
      }
    }
    console.log(JSON.stringify([...missing]))`
  writeFileSync(join(project, 'without-peers.mjs'), script)
  const output = await execute(process.execPath, ['without-peers.mjs'], { cwd: project })
  return JSON.parse(output) as string[]
}

function esmLine(entry: string): string {
  return `if (Object.keys(await import('${entry}')).length === 0) throw new Error('import of ${entry} is empty')\n`
}

function cjsLine(entry: string): string {
  return `if (Object.keys(require('${entry}')).length === 0) throw new Error('require of ${entry} is empty')\n`
}

import { spawn } from 'node:child_process'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { root, say } from '../bootstrap/paths.mjs'
import { startRabbitMq } from '../servers/index.ts'
import { waitUntil } from '../servers/wait-until.ts'
import type { Packed } from './stranger.ts'

const INSTALLED_WITHIN_MS = 300_000
const ANSWERS_WITHIN_MS = 60_000
const BLOCK = /```(sh|ts)\n([\s\S]*?)```/g

/**
 * Types what the RabbitMQ adapter's README says under "Try it" into a shell in an empty folder, with a restart of the
 * broker where it asks for one. Packages come from the tarballs.
 * @throws {Error} with the shell's last words, when the reader has not greeted who it should
 */
export async function typeAmqpReadme(packed: readonly Packed[], folder: string): Promise<void> {
  const startedMs = performance.now()
  const { install, program, run, afterRestart } = readBlocks()
  const home = join(folder, 'empty')
  mkdirSync(home)
  await using broker = await startRabbitMq({ direct: true })
  await using shell = openShell(home, broker.url)
  shell.type(`${withTarballs(install, packed)}echo installed\n`)
  await shell.prints('installed', INSTALLED_WITHIN_MS)
  writeFileSync(join(home, 'hello', 'hello.mjs'), program)
  const [reader, ...others] = run.split('\n')
  shell.type(`${reader}\n`)
  await shell.prints('reading', ANSWERS_WITHIN_MS)
  shell.type(others.join('\n'))
  await shell.prints('hello Ann', ANSWERS_WITHIN_MS)
  await broker.restart()
  shell.type(afterRestart)
  await shell.prints('hello Bob', ANSWERS_WITHIN_MS)
  say(
    `the README's reader healed from a restart, ${Math.round((performance.now() - startedMs) / 1_000)} s after an empty folder`,
  )
}

function readBlocks() {
  const readme = readFileSync(join(root, 'packages/adapter-amqp/README.md'), 'utf8')
  const section = /\n## Try it\n([\s\S]*?)\n## /.exec(readme)?.[1] ?? ''
  const blocks = [...section.matchAll(BLOCK)].map(([, language, text]) => ({ language, text: text! }))
  const languages = blocks.map(({ language }) => language).join(' ')
  if (languages !== 'sh ts sh sh')
    throw new Error(`"Try it" of the README has the blocks ${languages}, not sh ts sh sh`)
  const [install, program, run, afterRestart] = blocks.map(({ text }) => text) as [string, string, string, string]
  return { install, program, run, afterRestart }
}

/** The packages are not published yet, so their names stand for their tarballs. */
function withTarballs(command: string, packed: readonly Packed[]): string {
  const tarballs = new Map(packed.map(({ name, tarball }) => [name, `'${tarball}'`]))
  return command.replace(/@waybill\/[\w-]+/g, (name) => {
    const tarball = tarballs.get(name)
    if (tarball === undefined) throw new Error(`the README installs ${name}, which is no package here`)
    return tarball
  })
}

/** A shell of a session of its own, which ends with all that it started. */
function openShell(cwd: string, url: string) {
  const env = { ...process.env, AMQP_URL: url }
  const child = spawn('sh', { cwd, env, detached: true, stdio: ['pipe', 'pipe', 'pipe'] })
  const closed = new Promise((resolve) => child.once('close', resolve))
  let printed = ''
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => (printed += String(chunk)))
  return {
    type: (text: string) => void child.stdin.write(text),
    prints: (line: string, timeoutMs: number) =>
      waitUntil(
        async () => {
          if (!printed.split('\n').includes(line)) throw new Error(printed.trim().split('\n').slice(-5).join('\n'))
        },
        { what: `"${line}" in the shell`, timeoutMs },
      ),
    async [Symbol.asyncDispose]() {
      process.kill(-child.pid!, 'SIGKILL')
      await closed
    },
  }
}

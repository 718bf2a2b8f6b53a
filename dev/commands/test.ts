// npm test: the three servers, then vitest with the given arguments; the last line counts what passed and failed.
import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { root, say } from '../bootstrap/paths.mjs'
import { startAll } from '../servers/all.ts'
import { findChromium } from '../servers/chromium.ts'
import { stopRequested } from './stop-requested.ts'
import { countTests } from './count-tests.ts'

const reports = mkdtempSync(join(tmpdir(), 'waybill-report-'))
const report = join(reports, 'vitest.json')
const stop = stopRequested()

try {
  const chromium = await findChromium()
  await using servers = await startAll()
  const environment = { ...process.env, ...servers.urls, CHROMIUM_PATH: chromium }
  const code = await runVitest(environment)
  const { passed, failed, skipped } = countTests(report, code)
  console.log(`${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`)
  process.exitCode = code
} catch (error) {
  say((error as Error).message)
  process.exitCode = 1
} finally {
  rmSync(reports, { recursive: true, force: true })
}
process.exit()

function runVitest(env: NodeJS.ProcessEnv): Promise<number> {
  const args = ['run', '--reporter=default', '--reporter=json', `--outputFile.json=${report}`, ...process.argv.slice(2)]
  const vitest = spawn(process.execPath, [join(root, 'node_modules/vitest/vitest.mjs'), ...args], {
    cwd: root,
    env,
    stdio: ['ignore', 'inherit', 'inherit'],
  })
  void stop.then((signal) => vitest.kill(signal))
  return new Promise((resolve, reject) => {
    vitest.once('error', reject)
    vitest.once('exit', (code) => resolve(code ?? 130))
  })
}

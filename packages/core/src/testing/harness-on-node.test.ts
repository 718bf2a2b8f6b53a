import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { expect, it } from 'vitest'

const fixture = fileURLToPath(new URL('fixtures/harness-on-node.ts', import.meta.url))

it('the harness works under the runner of node itself', async () => {
  // the variable tells a child of a test run to report to its parent
  const { NODE_TEST_CONTEXT: _, ...env } = process.env
  const args = ['--test', '--test-reporter=tap', fixture]
  const { stdout } = await promisify(execFile)(process.execPath, args, { env, timeout: 25_000 })
  expect(stdout).toMatch(/^# pass 1$/m)
  expect(stdout).toMatch(/^# fail 0$/m)
})

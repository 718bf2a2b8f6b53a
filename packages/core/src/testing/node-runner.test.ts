import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'

interface Ended {
  readonly code: number
  readonly output: string
}

/** A process of its own with `node --test`, over the fixture beside this file. */
function nodeTest(fault = ''): Promise<Ended> {
  const fixture = fileURLToPath(new URL('fixtures/suite-on-node.ts', import.meta.url))
  const flags = ['--no-warnings', '--experimental-strip-types', '--test', '--test-reporter=tap']
  const { NODE_TEST_CONTEXT: _, ...env } = process.env
  return new Promise((resolve) => {
    const options = { env: { ...env, FAULT: fault }, timeout: 25_000 }
    execFile(process.execPath, [...flags, fixture], options, (error, stdout, stderr) => {
      resolve({ code: Number(error?.code ?? 0), output: stdout + stderr })
    })
  })
}

describe("the suite with Node's own test runner", () => {
  it('passes on the memory transport: a test for each case, skips with their reason, and the report', async () => {
    const { code, output } = await nodeTest()
    expect(output).toMatch(/ok \d+ - 1 each message arrives once, as it was sent/)
    expect(output).toMatch(/ok \d+ - 2 .* # SKIP the transport lacks persistent/)
    expect(output).toContain('adapter suite on memory, seed 7')
    expect(output).toContain('# fail 0')
    expect(code).toBe(0)
  })

  it('fails the test of the case that finds a fault, and says what it found', async () => {
    const { code, output } = await nodeTest('drops')
    expect(output).toMatch(/not ok \d+ - 1 each message arrives once/)
    expect(output).toContain('lost')
    expect(output).toContain('WAYBILL_SUITE_SEED=7')
    expect(code).toBe(1)
  })
})

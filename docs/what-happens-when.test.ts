import { existsSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { expect, it } from 'vitest'

const page = readFileSync(new URL('what-happens-when.md', import.meta.url), 'utf8')
const lines = page.split('\n').filter((line) => /^\| (?!when |---)/.test(line))

/** A test, or a case of the suite that adapters run. */
const PROOF = /\]\(([^)#]+(?:\.test\.ts|\/testing\/cases\/[^)]+\.ts))\)/g

it('each line of what happens when names tests that exist', () => {
  expect(lines.length).toBeGreaterThan(30)
  for (const line of lines) {
    const proofs = [...line.split('|').at(-2)!.matchAll(PROOF)].map(([, file]) => file!)
    expect(proofs, line).not.toEqual([])
    for (const file of proofs) expect(existsSync(fileURLToPath(new URL(file, import.meta.url))), file).toBe(true)
  }
})

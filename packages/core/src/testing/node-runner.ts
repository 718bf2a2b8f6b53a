import type { RunningTest, SuiteRunner } from './runner.ts'

/** The part of `node:test` that is called. */
export interface NodeTest {
  describe(title: string, body: () => void): unknown
  it(title: string, options: { readonly timeout: number }, body: (test: RunningTest) => Promise<void>): unknown
}

/**
 * Node's own test runner for the suite.
 * @example adapterSuite({ name: 'mine', create, runner: nodeRunner({ describe, it }) })
 * @see https://nodejs.org/api/test.html
 */
export function nodeRunner({ describe, it }: NodeTest): SuiteRunner {
  return {
    describe: (title, body) => describe(title, body),
    it: (title, body, timeoutMs) => it(title, { timeout: timeoutMs }, (test) => body(test)),
  }
}

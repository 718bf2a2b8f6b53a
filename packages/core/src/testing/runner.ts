/** What a test runner hands to a running test; both vitest and node:test have it. */
export interface RunningTest {
  skip?(reason: string): unknown
}

/** The part of a test runner that the suite calls: `describe` and `it` of vitest and of `node:test` fit as they are. */
export interface SuiteRunner {
  describe(title: string, body: () => void): unknown
  it(title: string, body: (test: RunningTest) => Promise<void>, timeoutMs: number): unknown
}

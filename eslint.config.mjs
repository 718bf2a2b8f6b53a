import tseslint from 'typescript-eslint'

const tests = ['**/*.test.ts', '**/*.test-d.ts', '**/testing/**/*.ts']

/** A sleep in a test is either too short on a slow machine or too long on all others. */
const noSleepInTests = [
  'error',
  {
    selector: "NewExpression[callee.name='Promise'] CallExpression[callee.name='setTimeout'][arguments.length=2]",
    message: 'wait for a signal, a condition (vi.waitFor) or the fake clock: no sleeping in tests',
  },
  {
    selector: 'ImportDeclaration[source.value=/^(node:)?timers.promises$/]',
    message: 'wait for a signal, a condition (vi.waitFor) or the fake clock: no sleeping in tests',
  },
]

export default tseslint.config(
  { ignores: ['**/dist/**', '**/.dist-*/**', '**/node_modules/**', '.cache/**', '**/.data/**', '**/page/**/*.js'] },
  {
    files: ['**/*.ts', '**/*.tsx'],
    extends: [tseslint.configs.base],
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
    linterOptions: { reportUnusedDisableDirectives: 'error' },
    rules: {
      // A promise nobody waits for is a lost error, and in a messaging library a lost message.
      '@typescript-eslint/no-floating-promises': 'error',
      '@typescript-eslint/no-misused-promises': 'error',
      '@typescript-eslint/await-thenable': 'error',
      '@typescript-eslint/return-await': ['error', 'error-handling-correctness-only'],
      '@typescript-eslint/only-throw-error': 'error',
      '@typescript-eslint/switch-exhaustiveness-check': ['error', { considerDefaultExhaustiveForUnions: true }],
      '@typescript-eslint/consistent-type-imports': ['error', { fixStyle: 'inline-type-imports' }],
      '@typescript-eslint/no-explicit-any': 'error',
      'no-fallthrough': 'error',
      'no-unsafe-finally': 'error',
      eqeqeq: ['error', 'always', { null: 'ignore' }],
      'prefer-const': 'error',
      'max-lines': ['error', 400],
    },
  },
  {
    files: ['packages/*/src/**/*.ts'],
    ignores: [...tests, '**/cli.ts', '**/cli/**'],
    rules: { 'no-console': 'error' },
  },
  { files: tests, rules: { 'no-restricted-syntax': noSleepInTests } },
  {
    files: ['**/*.mjs', '**/*.cjs'],
    rules: { 'no-fallthrough': 'error', 'prefer-const': 'error', eqeqeq: 'error', 'max-lines': ['error', 400] },
  },
)

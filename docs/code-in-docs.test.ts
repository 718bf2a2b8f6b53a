import { globSync, readFileSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'

const root = fileURLToPath(new URL('..', import.meta.url))
const CODE_FROM = /<!-- code: (\S+) -->\n+```ts\n([\s\S]*?)```/g

/** Every `<!-- code: file -->` block of the docs must be the file's text, or its `#region example`. */
const blocks = globSync(['README.md', 'docs/**/*.md', 'packages/*/README.md'], {
  cwd: root,
  exclude: ['docs/reference/api/**'],
}).flatMap((page) =>
  [...readFileSync(join(root, page), 'utf8').matchAll(CODE_FROM)].map(([, file, code]) => ({
    page,
    code: code!,
    file: relative(root, join(root, dirname(page), file!)),
  })),
)

function exampleIn(text: string): string {
  const region = /\/\/ #region example\n([\s\S]*?)\n *\/\/ #endregion/.exec(text)?.[1]
  if (region === undefined) return text
  const indent = /^ */.exec(region)![0]
  return `${region
    .split('\n')
    .map((line) => line.replace(indent, ''))
    .join('\n')}\n`
}

describe('code in the docs', () => {
  it('has blocks to check', () => expect(blocks.length).toBeGreaterThanOrEqual(4))

  it.each(blocks)('$page shows $file as it is tested', ({ file, code }) => {
    expect(code).toBe(exampleIn(readFileSync(join(root, file), 'utf8')))
  })
})

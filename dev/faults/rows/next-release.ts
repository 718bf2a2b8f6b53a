// node --import …/next-release.ts: @waybill/outbox-pg as a later release may be, with wider tables and readers of the next version.
import { registerHooks } from 'node:module'

const WIDER =
  '(schema) => `ALTER TABLE ${schema}.outbox ADD COLUMN next_release text; ALTER TABLE ${schema}.reader ADD COLUMN next_release int NOT NULL DEFAULT 0;`'

const raised = (text: string) => text.replace(/\d+$/, (version) => String(Number(version) + 1))

const CHANGES: Readonly<Record<string, readonly (readonly [RegExp, (found: string) => string])[]>> = {
  'schema-version.ts': [[/READER_VERSION = \d+/, raised]],
  'migrations/index.ts': [[/version\d+\]/, (last) => `${last.slice(0, -1)}, ${WIDER}]`]],
}

registerHooks({
  load(url, context, next) {
    const loaded = next(url, context)
    const [, file = ''] = /\/outbox-pg\/src\/(.+)$/.exec(url) ?? []
    if (!Object.hasOwn(CHANGES, file)) return loaded
    let source = String(loaded.source)
    for (const [now, then] of CHANGES[file]!) {
      if (!now.test(source)) throw new Error(`${file} has no ${now} any more: change next-release.ts with it`)
      source = source.replace(now, then)
    }
    return { ...loaded, source }
  },
})

// node --import …/next-release.ts: @waybill/outbox-pg as a later release may be, with wider tables and readers that need them.
import { registerHooks } from 'node:module'

const WIDER =
  '(schema) => `ALTER TABLE ${schema}.outbox ADD COLUMN next_release text; ALTER TABLE ${schema}.reader ADD COLUMN next_release int NOT NULL DEFAULT 0;`'

const CHANGES: Readonly<Record<string, readonly (readonly [string, string])[]>> = {
  'schema-version.ts': [
    ['READER_VERSION = 1', 'READER_VERSION = 2'],
    ['OLDEST_SCHEMA_VERSION = 3', 'OLDEST_SCHEMA_VERSION = 4'],
  ],
  'migrations/index.ts': [['version3]', `version3, ${WIDER}]`]],
}

registerHooks({
  load(url, context, next) {
    const loaded = next(url, context)
    const [, file = ''] = /\/outbox-pg\/src\/(.+)$/.exec(url) ?? []
    if (!Object.hasOwn(CHANGES, file)) return loaded
    let source = String(loaded.source)
    for (const [now, then] of CHANGES[file]!) {
      if (!source.includes(now)) throw new Error(`${file} has no "${now}" any more: change next-release.ts with it`)
      source = source.replace(now, () => then)
    }
    return { ...loaded, source }
  },
})

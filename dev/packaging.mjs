// npm run packaging: packs every package and uses the tarballs as a stranger would.
import { command } from './bootstrap.mjs'

await command('dev/commands/packaging.ts')

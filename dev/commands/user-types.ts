import { copyFileSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { root } from '../bootstrap/paths.mjs'
import { execute } from '../servers/execute.ts'

/** The oldest TypeScript that users may have; the newest is our own. */
const OLDEST = '5.6'

const compilerOptions = {
  target: 'ES2022',
  lib: ['ES2022', 'ESNext.Disposable'],
  module: 'NodeNext',
  moduleResolution: 'NodeNext',
  types: ['node'],
  strict: true,
  exactOptionalPropertyTypes: true,
  noUncheckedIndexedAccess: true,
  noEmit: true,
}

/** What users write, by file; with whether the declarations of all that it imports are checked too. */
const FIXTURES = { user: true, 'user-of-protobuf': false }

/**
 * Compiles what users write against the installed packages, as an ES module and as CommonJS, with the oldest TypeScript
 * and with ours. `project` is where packages, peers and what `USER_TYPES_NEED` names are installed.
 */
export async function checkUserTypes(project: string): Promise<void> {
  for (const [name, checksLibraries] of Object.entries(FIXTURES)) {
    const folder = join(project, name)
    mkdirSync(folder)
    const files = [`${name}.mts`, `${name}.cts`]
    for (const file of files) copyFileSync(join(root, `dev/fixtures/${name}.ts`), join(folder, file))
    const config = { compilerOptions: { ...compilerOptions, skipLibCheck: !checksLibraries }, files }
    writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify(config))
    for (const home of [project, root]) {
      await execute(process.execPath, [join(home, 'node_modules/typescript/bin/tsc'), '-p', folder], { cwd: project })
    }
  }
}

/** What the project needs beside the packages and their peers. */
export const USER_TYPES_NEED = [`typescript@${OLDEST}`, '@types/node@24', 'zod@4'] as const

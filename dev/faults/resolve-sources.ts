// node --import …/resolve-sources.ts script.ts: the packages by their public names are their sources, as in tests.
import { registerHooks } from 'node:module'

const PACKAGE = /^@waybill\/([a-z-]+)(?:\/([a-z]+))?$/

registerHooks({
  resolve(name, context, next) {
    const [, folder, subpath] = PACKAGE.exec(name) ?? []
    if (folder === undefined || folder === 'rentsport') return next(name, context)
    const file = `../../packages/${folder}/src/${subpath === undefined ? '' : `${subpath}/`}index.ts`
    return next(new URL(file, import.meta.url).href, context)
  },
})

import { createReadStream } from 'node:fs'
import { stat } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { dirname, extname, join } from 'node:path'
import { Readable } from 'node:stream'
import type { Context, Hono } from 'hono'

const TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.map': 'application/json',
  '.png': 'image/png',
  '.svg': 'image/svg+xml',
}

/** The page at `/`, its built files under `/page`, and the description of the API at `/api`; all from this machine. */
export function pageFiles(app: Hono, pageFolder: string): void {
  const swagger = dirname(createRequire(import.meta.url).resolve('swagger-ui-dist/package.json'))
  app.get('/', (context) => file(context, pageFolder, 'index.html'))
  app.get('/page/:name', (context) => file(context, pageFolder, context.req.param('name')))
  app.get('/api', (context) => context.html(API_PAGE))
  app.get('/api/viewer/start.js', (context) => context.body(API_START, 200, { 'content-type': TYPES['.js']! }))
  app.get('/api/viewer/:name', (context) => file(context, swagger, context.req.param('name')))
}

async function file(context: Context, folder: string, name: string): Promise<Response> {
  const type = TYPES[extname(name)]
  // A plain name only: nothing leads out of the folder.
  if (type === undefined || !/^[\w.-]+$/.test(name)) return context.notFound()
  const path = join(folder, name)
  const found = await stat(path).catch(() => undefined)
  if (!found?.isFile()) return context.notFound()
  const tag = `"${found.size.toString(36)}-${Math.trunc(found.mtimeMs).toString(36)}"`
  const headers = { 'content-type': type, 'cache-control': 'no-cache', etag: tag }
  if (context.req.header('if-none-match') === tag) return context.body(null, 304, headers)
  return context.body(Readable.toWeb(createReadStream(path)) as ReadableStream, 200, {
    ...headers,
    'content-length': String(found.size),
  })
}

const API_PAGE = `<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8" />
    <title>RentSport API</title>
    <link rel="stylesheet" href="/api/viewer/swagger-ui.css" />
  </head>
  <body>
    <div id="api"></div>
    <script src="/api/viewer/swagger-ui-bundle.js"></script>
    <script src="/api/viewer/start.js"></script>
  </body>
</html>
`

const API_START = `SwaggerUIBundle({ url: '/openapi.json', dom_id: '#api', deepLinking: true, validatorUrl: null })\n`

import { OpenAPIHono } from '@hono/zod-openapi'
import { bodyLimit } from 'hono/body-limit'
import { HTTPException } from 'hono/http-exception'
import { secureHeaders } from 'hono/secure-headers'
import { notificationDocument, rentSportDocument } from '../contracts/documents.ts'
import { inventoryRoutes } from './inventory-routes.ts'
import { pageFiles } from './page-files.ts'
import { paymentRoutes } from './payment-routes.ts'
import { problemsOf, refuseInput, unknownAddress } from './problems.ts'
import { rentalRoutes } from './rental-routes.ts'
import { serviceRoutes } from './service-routes.ts'
import type { WebServices } from './services.ts'

/** The largest thing that anybody has to say to this API is a rental order. */
const MAX_BODY_BYTES = 16_384

/** The HTTP API and the page, without a server around them. */
export function createApp(services: WebServices): OpenAPIHono {
  const app = new OpenAPIHono({ defaultHook: refuseInput })
  app.onError(problemsOf(services.logger))
  app.notFound(unknownAddress)
  app.use(
    secureHeaders({
      // Plain HTTP on this machine: a browser told otherwise would not come back.
      strictTransportSecurity: false,
      contentSecurityPolicy: {
        defaultSrc: ["'self'"],
        imgSrc: ["'self'", 'data:'],
        styleSrc: ["'self'", "'unsafe-inline'"],
      },
    }),
  )
  app.use(
    bodyLimit({
      maxSize: MAX_BODY_BYTES,
      onError: () => {
        throw new HTTPException(413, { message: `a body may have at most ${MAX_BODY_BYTES} bytes` })
      },
    }),
  )
  inventoryRoutes(app, services)
  rentalRoutes(app, services)
  paymentRoutes(app, services)
  serviceRoutes(app, services)
  app.doc31('/openapi.json', { openapi: '3.1.0', info: { title: 'RentSport', version: '1.0.0' } })
  app.get('/asyncapi.json', (context) => context.json(notificationDocument()))
  app.get('/asyncapi/rentsport.json', (context) => context.json(rentSportDocument()))
  pageFiles(app, services.pageFolder)
  return app
}

import { asyncapi } from '@waybill/core/asyncapi'
import { QuotePrice, RentalBooked } from './domain.ts'

// #region example
export const document = asyncapi({
  info: { title: 'Rentals', version: '1.0.0' },
  servers: { production: { host: 'broker.example:5672', protocol: 'amqp' } },
  definitions: [RentalBooked],
  services: { pricing: [QuotePrice] },
})
// #endregion

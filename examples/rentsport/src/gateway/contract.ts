import { loadService } from '@waybill/adapter-grpc'
import { z } from 'zod'

/** int64 travels as text in JavaScript; amounts here are far below where that matters. */
const int64 = z.union([z.int(), z.string().regex(/^-?\d{1,15}$/)]).transform(Number)

export const Charge = z.object({ payment_id: z.string(), amount_minor: int64, currency: z.string(), at: z.string() })
export type Charge = z.output<typeof Charge>

export const GatewayCommand = z.object({
  command: z.enum(['CHARGE', 'VOID', 'REFUND', 'CHARGES']),
  payment_id: z.string().min(1),
  amount_minor: int64.default(0),
  currency: z.string().default(''),
  payment_method: z.string().default(''),
})
export type GatewayCommand = z.input<typeof GatewayCommand>

export const GatewayAnswer = z.object({
  command: GatewayCommand.shape.command,
  payment_id: z.string(),
  answer: z.enum([
    'PENDING',
    'PROCESSING',
    'VALIDATING',
    'COMPLETED',
    'DECLINED',
    'VOIDED',
    'CHARGED',
    'REFUNDED',
    'NOTHING',
    'LISTED',
  ]),
  message: z.string().default(''),
  charges: z.array(Charge).default([]),
})
export type GatewayAnswer = z.output<typeof GatewayAnswer>

export const Gateway = loadService({
  proto: new URL('./gateway.proto', import.meta.url),
  service: 'gateway.Gateway',
  methods: { Exchange: { request: GatewayCommand, response: GatewayAnswer } },
})

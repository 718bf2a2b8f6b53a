import { loadService } from '@waybill/adapter-grpc'
import { z } from 'zod'
import { paymentStatusWord } from './words.ts'

/** As it travels. What makes a good request is decided where payments are taken, so that the answer can say why not. */
export const PaymentRequest = z.object({
  payment_id: z.string(),
  user_id: z.string(),
  /** Any double: endless ones and NaN too travel, and are refused with their reason. */
  amount: z.custom<number>((value) => typeof value === 'number', 'give a number'),
  currency: z.string(),
  payment_method: z.string(),
})
export type PaymentRequest = z.infer<typeof PaymentRequest>

export const PaymentStatus = z.object({
  payment_id: z.string(),
  status: paymentStatusWord,
  /** For `FAILED` the reason. */
  message: z.string(),
})
export type PaymentStatus = z.infer<typeof PaymentStatus>

/** The contract with the outside: any client that knows `payment.proto` may pay. */
export const PaymentService = loadService({
  proto: new URL('./payment.proto', import.meta.url),
  service: 'PaymentService',
  methods: { ProcessPayment: { request: PaymentRequest, response: PaymentStatus } },
})

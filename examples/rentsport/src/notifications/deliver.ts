import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Transporter } from 'nodemailer'
import type { Notification } from '../contracts/notifications.ts'
import type { Recipient } from './recipient.ts'
import { render } from './render.ts'

export interface Delivery {
  readonly messageId: string
  readonly notification: Notification
  readonly recipient: Recipient
}

/** One way to reach a person. Handing over the same message id twice leaves one message. */
export type Way = (delivery: Delivery) => Promise<void>

/** By mail over SMTP; the Message-ID is the message's own, so that a second copy can be told from the first. */
export function bySmtp(transporter: Transporter): Way {
  return async (delivery) => {
    const { subject, text } = render(delivery.notification, delivery.recipient)
    await transporter.sendMail({
      from: 'RentSport <support@rentsport.com>',
      to: delivery.recipient.email,
      messageId: `<${fileSafe(delivery.messageId)}@rentsport.com>`,
      subject,
      text,
    })
  }
}

/** Into a mailbox folder: one file for each message, named by its id. */
export function byMailbox(dataDir: string, way: 'email' | 'sms' | 'push'): Way {
  return async (delivery) => {
    const { email, phone } = delivery.recipient
    const address = way === 'email' ? email : way === 'sms' ? phone : `user ${delivery.notification.user_id}`
    const { subject, text } = render(delivery.notification, delivery.recipient)
    const folder = join(dataDir, 'mailbox', way)
    await mkdir(folder, { recursive: true })
    const body = way === 'email' ? `To: ${address}\nSubject: ${subject}\n\n${text}\n` : `${address}: ${text}\n`
    await writeFile(join(folder, `${fileSafe(delivery.messageId)}.txt`), body)
  }
}

/** An id from outside must not name a file elsewhere. */
function fileSafe(id: string): string {
  return id.replaceAll(/[^A-Za-z0-9-]/g, '_').slice(0, 100)
}

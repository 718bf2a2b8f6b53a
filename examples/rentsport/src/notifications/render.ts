import type { Notification } from '../contracts/notifications.ts'
import type { Recipient } from './recipient.ts'

const SUBJECTS = {
  RENTAL_EXPIRED: { en: 'Your rental has expired', ru: 'Срок аренды истёк' },
  MAINTENANCE_REQUIRED: { en: 'Maintenance is required', ru: 'Требуется обслуживание' },
} as const

/** The notification as a person reads it. */
export function render(
  { type, message, inventory_id, timestamp }: Notification,
  { name, language }: Pick<Recipient, 'name' | 'language'>,
): { readonly subject: string; readonly text: string } {
  const at = new Intl.DateTimeFormat(language, { dateStyle: 'long', timeStyle: 'short', timeZone: 'UTC' })
  const greeting = language === 'ru' ? `Здравствуйте, ${name}!` : `Hello ${name},`
  const item = language === 'ru' ? `Инвентарь № ${inventory_id}` : `Equipment no. ${inventory_id}`
  return {
    subject: SUBJECTS[type][language],
    text: `${greeting}\n\n${message}\n\n${item}, ${at.format(new Date(timestamp))} UTC\nRentSport`,
  }
}

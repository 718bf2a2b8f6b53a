import { useLanguage } from '../language.ts'
import type { Notification, ViewProps } from '../model.ts'
import { Failure } from '../parts/failure.tsx'
import { useResource } from '../parts/use-resource.ts'

/** What was delivered to this person, as renter and as owner. */
export function Notifications({ userId }: ViewProps) {
  const { texts, time } = useLanguage()
  const { value: notifications, error } = useResource<readonly Notification[]>(
    `/api/notifications?user_id=${userId}`,
    2_000,
  )
  if (notifications === undefined) return error ? <Failure error={error} /> : <p>{texts.loading}</p>
  if (notifications.length === 0) return <p class="empty">{texts.noNotifications}</p>
  return (
    <ul class="rows">
      {notifications.map((notification) => (
        <li key={notification.id} data-type={notification.type}>
          <span class="wide">{notification.message}</span>
          <span class="quiet">{time(notification.at)}</span>
        </li>
      ))}
    </ul>
  )
}

import { runService } from '../supervisor/run-service.ts'
import { startNotifications } from './room.ts'

/** The notification service as a process of its own. The supervisor gives it DATABASE_URL. */
await runService('notifications', ({ config, carriers, ...ground }) =>
  startNotifications({ ...config, ...ground, transport: carriers.commands() }),
)

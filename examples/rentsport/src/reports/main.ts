import { runService } from '../supervisor/run-service.ts'
import { startReports } from './room.ts'

/** The report service as a process of its own. The supervisor gives it DATABASE_URL. */
await runService('reports', ({ carriers, ...ground }) => startReports({ ...ground, transport: carriers.events() }))

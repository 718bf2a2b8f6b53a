import type { Logger, ParkedStore } from '@waybill/core'
import { createInbox, fromKysely, parkedPg, type Inbox } from '@waybill/outbox-pg'
import { createCarriers, type Carriers } from '../carriers.ts'
import { readRoomConfig, type RoomConfig } from '../config.ts'
import { openDatabase } from '../database/open.ts'
import { processLogger } from '../log.ts'
import type { RentalTransaction } from '../rentals/rental-outbox.ts'
import { partsOf } from './part-state.ts'
import { runChild, type ChildRoom } from './run-child.ts'

/** What a service that handles each message once stands on. */
export interface ServiceGround {
  readonly config: RoomConfig
  readonly carriers: Carriers
  readonly inbox: Inbox<RentalTransaction>
  readonly parked: ParkedStore
  readonly logger: Logger
}

const MAX_CONNECTIONS = 10

/** Runs such a service as a process of its own; `name` tells it apart in the log, on the brokers and in /health. */
export function runService(name: string, start: (ground: ServiceGround) => Promise<ChildRoom>): Promise<void> {
  return runChild(async () => {
    const config = readRoomConfig()
    const logger = processLogger(name)
    await using starting = new AsyncDisposableStack()
    const database = starting.use(openDatabase(config.databaseUrl, MAX_CONNECTIONS, logger))
    const { pool, db } = database
    const carriers = await createCarriers({ ...config, database, source: `/rentsport/${name}`, logger })
    const inbox = starting.use(createInbox({ db: fromKysely(db) }))
    inbox.startSweeping()
    const room = starting.use(await start({ config, carriers, inbox, parked: parkedPg({ pool }), logger }))
    const running = starting.move()
    return {
      health: async () => partsOf(name, await room.health()),
      [Symbol.asyncDispose]: () => running.disposeAsync(),
    }
  })
}

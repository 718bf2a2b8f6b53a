import { ConfigError } from '@waybill/core'
import { readRoomConfig } from '../config.ts'
import { processLogger } from '../log.ts'
import { runChild } from '../supervisor/run-child.ts'
import { startBackend } from './start.ts'

/** The backend as a process of its own. The supervisor gives it DATABASE_URL, GATEWAY_ADDRESS, HOST and GRPC_PORT. */
await runChild(() => {
  const config = readRoomConfig()
  const { GATEWAY_ADDRESS: gatewayAddress } = process.env
  if (!gatewayAddress) throw new ConfigError('GATEWAY_ADDRESS is not set: run main.ts, which starts every room')
  return startBackend({
    ...config,
    gatewayAddress,
    grpcPort: config.grpcPort.port,
    logger: processLogger('backend'),
  })
})

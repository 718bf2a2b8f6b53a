export { openTelemetry, type OpenTelemetryOptions } from './open-telemetry.ts'
export { w3cTraceContext } from './trace-context.ts'

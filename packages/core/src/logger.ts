/** The part of a pino logger that Waybill calls. Payloads and passwords are never handed to it. */
export interface Logger {
  debug(fields: object, text: string): void
  info(fields: object, text: string): void
  warn(fields: object, text: string): void
  error(fields: object, text: string): void
}

const nothing = () => {}

/** Says nothing; the default. */
export const silentLogger: Logger = Object.freeze({ debug: nothing, info: nothing, warn: nothing, error: nothing })

/** The same logger, except that nothing it throws reaches who logs: a full disk under its file must stop no message. */
export function guardedLogger(logger: Logger | undefined): Logger {
  if (logger === undefined || logger === silentLogger) return silentLogger
  const guard =
    (level: keyof Logger) =>
    (fields: object, text: string): void => {
      try {
        logger[level](fields, text)
      } catch {
        // it has no place to say so
      }
    }
  return Object.freeze({ debug: guard('debug'), info: guard('info'), warn: guard('warn'), error: guard('error') })
}

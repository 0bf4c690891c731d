import { type DestinationStream, pino, stdSerializers } from 'pino'

/** What is logged: levels as methods, facts as fields. Nothing secret may be put in. */
export interface Logger {
  debug(message: string, fields?: Fields): void
  info(message: string, fields?: Fields): void
  warn(message: string, fields?: Fields): void
  error(message: string, fields?: Fields): void
}
type Fields = Readonly<Record<string, unknown>>

/**
 * Creates the log: one JSON object a line, with ISO times.
 *
 * @param level       the least level that is written
 * @param destination where lines go; default: standard output, written synchronously, so that the last line
 *   of a dying process is there
 */
export function createLog(level: keyof Logger, destination?: DestinationStream): Logger {
  const logger = pino(
    {
      level,
      base: null,
      messageKey: 'message',
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: label => ({ level: label }) },
      serializers: { error: describeError },
    },
    destination ?? pino.destination({ fd: 1, sync: true }),
  )
  return {
    debug: (message, fields = {}) => logger.debug(fields, message),
    info: (message, fields = {}) => logger.info(fields, message),
    warn: (message, fields = {}) => logger.warn(fields, message),
    error: (message, fields = {}) => logger.error(fields, message),
  }
}

/** Own properties of foreign errors can hold a whole request: only type, code, message and stack are kept. */
function describeError(error: unknown): unknown {
  if (!(error instanceof Error)) return typeof error
  const { type, stack } = stdSerializers.err(error)
  const code = 'code' in error && typeof error.code === 'string' ? { code: error.code } : {}
  return { type, message: error.message, stack, ...code }
}

/** Lines that filters write, in the proxy's own log. */
import type { FilterLine } from '../filters/script-host.js'
import type { Fields, Logger } from '../telemetry/logger.js'

export function writeLine(logger: Logger, { filter, level, message }: FilterLine, fields: Fields = {}): void {
  logger[level](message, { filter, ...fields })
}

/** Lines that filters and sockets write, in the proxy's own log. */
import type { SocketLine } from '../door/socket/mount.js'
import type { FilterLine } from '../filters/script-host.js'
import type { Fields, Logger } from '../telemetry/logger.js'

export type AuthorLine = FilterLine | SocketLine

export function writeLine(logger: Logger, line: AuthorLine, fields: Fields = {}): void {
  const own = 'filter' in line ? { filter: line.filter } : line.fields
  logger[line.level](line.message, { ...own, ...fields })
}

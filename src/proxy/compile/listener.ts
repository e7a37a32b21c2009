/** `listeners[]` → the engine's listeners. */
import { resolve } from 'node:path'
import { hasDoor } from '../../config/checks/doors.js'
import type { ResolvedConfig } from '../../config/config.js'
import { absoluteAddress, memoryAddress } from '../../config/forms/address.js'
import { directionOfName } from '../../config/listeners/direction.js'
import type { Listener } from '../../native/snapshot.js'
import { compileFilter, type Scripts } from './filter.js'
import { compileOverload } from './overload.js'
import { ownPaths } from './sockets.js'

/** Paths are relative to `folder`. */
export function compileListener(
  listener: ResolvedConfig['listeners'][number],
  folder: string,
  scripts: Scripts,
): Listener {
  const { name, address, serviceHeader, limits, accessLog, abortOnClose, trustedHops, socketMode, filters } = listener
  const { direction, overload } = listener
  return {
    name,
    address: absoluteAddress(address, folder),
    door: address === memoryAddress || hasDoor(listener),
    sockets: ownPaths(listener),
    serviceHeader,
    direction: direction ?? directionOfName(name),
    limits: {
      maxConnections: limits.maxConnections,
      maxHeaderBytes: limits.maxHeaderBytes,
      maxHeaders: limits.maxHeaders,
      headersTimeoutMs: limits.headersTimeout,
      idleTimeoutMs: limits.idleTimeout,
      maxRequestsPerConnection: limits.maxRequestsPerConnection,
      maxRequestBytes: limits.maxRequestBytes,
    },
    accessLog: accessLog === null ? null : { path: resolve(folder, accessLog.path), format: accessLog.format },
    abortOnClose,
    trustedHops,
    socketMode: socketMode === null ? null : Number.parseInt(socketMode, 8),
    overload: overload === null ? null : compileOverload(overload),
    filters: filters.map((filter) => compileFilter(filter, folder, scripts)),
    overrides: {
      trusted: listener.overrides.trusted ?? (direction ?? directionOfName(name)) !== 'gateway',
      laneHeader: listener.overrides.laneHeader,
      dtab: listener.overrides.dtab,
    },
  } satisfies Listener
}

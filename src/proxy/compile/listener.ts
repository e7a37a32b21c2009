/** `listeners[]` → the engine's listeners. */
import { resolve } from 'node:path'
import type { ResolvedConfig } from '../../config/config.js'
import type { Listener } from '../../native/snapshot.js'

/** Paths are relative to `folder`. */
export function compileListener(listener: ResolvedConfig['listeners'][number], folder: string): Listener {
  const { name, address, serviceHeader, limits, accessLog, abortOnClose } = listener
  return {
    name,
    address,
    serviceHeader,
    limits: {
      maxConnections: limits.maxConnections,
      maxHeaderBytes: limits.maxHeaderBytes,
      maxHeaders: limits.maxHeaders,
      headersTimeoutMs: limits.headersTimeout,
      idleTimeoutMs: limits.idleTimeout,
      maxRequestsPerConnection: limits.maxRequestsPerConnection,
    },
    accessLog: accessLog === null ? null : { path: resolve(folder, accessLog.path), format: accessLog.format },
    abortOnClose,
  } satisfies Listener
}

/**
 * `listeners[].sockets[]` as threads are told of them. Each is loaded once here, to find out before the configuration is in
 * force whether it can serve.
 */

import type { Finding } from '../config/checks/findings.js'
import type { ResolvedConfig } from '../config/config.js'
import type { Watched } from '../config/files/signature.js'
import type { ResolvedSocket } from '../config/listeners/socket.js'
import { loadSocket, type SocketPlan } from '../door/socket/load.js'
import { markedUrl } from './module-url.js'
import { offerPackageTo } from './offer-package.js'

export interface PlannedSockets {
  /** By listener. */
  sockets: SocketPlan[][]
  findings: Finding[]
}

type Reading = (watched: Watched) => void

/** Paths of modules are relative to `folder`. */
export async function planSockets(
  { listeners }: ResolvedConfig,
  folder: string,
  reading: Reading = () => {},
): Promise<PlannedSockets> {
  const findings: Finding[] = []
  const planned = listeners.map(({ sockets }, listener) =>
    sockets.map(async (socket, place): Promise<SocketPlan[]> => {
      try {
        const plan = await planSocket(socket, folder, reading)
        offerPackageTo([plan])
        await loadSocket(plan)
        return [plan]
      } catch (error) {
        const key = socket.module === undefined ? 'handler' : 'module'
        findings.push(findingOf(['listeners', listener, 'sockets', place, key], error as Error))
        return []
      }
    }),
  )
  const sockets = await Promise.all(planned.map(async (plans) => (await Promise.all(plans)).flat()))
  return { sockets, findings }
}

async function planSocket(socket: ResolvedSocket, folder: string, reading: Reading): Promise<SocketPlan> {
  const { path, handler = null, options, maxMessageBytes, maxBufferedBytes, compression, idleTimeout } = socket
  const module = socket.module === undefined ? null : await markedUrl(socket.module, folder, reading)
  return { path, module, handler, options, maxMessageBytes, maxBufferedBytes, idleTimeoutMs: idleTimeout, compression }
}

function findingOf(path: Finding['path'], error: Error): Finding {
  const missing = (error as NodeJS.ErrnoException).code === 'ENOENT'
  const message = missing ? 'there is no such file' : `cannot serve: ${error.message}`
  return { path, code: 'WEFT_SOCKET_MODULE', message, hint: missing ? 'paths are relative to the configuration' : null }
}

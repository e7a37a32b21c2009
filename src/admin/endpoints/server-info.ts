/** `/server_info`: which process this is, since when, and in what state. */
import { type AdminEndpoint, jsonAnswer } from '../endpoint.js'

export const serverInfo: AdminEndpoint = {
  method: 'GET',
  path: '/server_info',
  about: 'version, identity, state and age of the process',
  answer({ proxy, process: { version, file, startedAt }, logger }) {
    const { state, generation, workers, replaced } = proxy.status()
    return jsonAnswer({
      name: proxy.stats().name,
      version,
      node: proxy.plan().node,
      state,
      generation,
      workers,
      workersReplaced: replaced,
      startedAt: new Date(startedAt).toISOString(),
      uptimeSeconds: Math.round((Date.now() - startedAt) / 1000),
      pid: process.pid,
      nodeVersion: process.versions.node,
      file,
      logLevel: logger.level,
    })
  },
}

/** `clusters[]` → the engine's clusters. */
import type { ResolvedConfig } from '../../config/config.js'
import type { Cluster } from '../../native/snapshot.js'

export function compileCluster(cluster: ResolvedConfig['clusters'][number]): Cluster {
  const { name, endpoints, connectTimeout, keepAlive } = cluster
  return { name, endpoints, connectTimeoutMs: connectTimeout, keepAliveIdleMs: keepAlive.idleTimeout } satisfies Cluster
}

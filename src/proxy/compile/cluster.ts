/** `clusters[]` → the engine's clusters. */
import type { ResolvedConfig } from '../../config/config.js'
import type { Cluster } from '../../native/snapshot.js'
import { compileCircuitBreaker } from './circuit-breaker.js'
import { compileFilter } from './filter.js'

export function compileCluster(cluster: ResolvedConfig['clusters'][number]): Cluster {
  const { name, endpoints, connectTimeout, keepAlive, circuitBreaker, retryBudget, filters } = cluster
  return {
    name,
    endpoints,
    connectTimeoutMs: connectTimeout,
    keepAliveIdleMs: keepAlive.idleTimeout,
    circuitBreaker: circuitBreaker === null ? null : compileCircuitBreaker(circuitBreaker),
    retryBudget,
    filters: filters.map(compileFilter),
  } satisfies Cluster
}

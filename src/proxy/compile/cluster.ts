/** `clusters[]` → the engine's clusters. */
import type { ResolvedConfig } from '../../config/config.js'
import type { ResolvedEndpoint } from '../../config/endpoint.js'
import type { Cluster, LoadBalancer } from '../../native/snapshot.js'
import { compileCircuitBreaker } from './circuit-breaker.js'
import { compileFilter } from './filter.js'

/** `found` are the endpoints that the cluster's registry knows; none where it could not be asked. */
export function compileCluster(
  cluster: ResolvedConfig['clusters'][number],
  found: readonly ResolvedEndpoint[] = [],
): Cluster {
  const { name, endpoints, discovery, connectTimeout, keepAlive, circuitBreaker, retryBudget, filters } = cluster
  return {
    name,
    endpoints: endpoints ?? [...found],
    discovered: discovery !== null,
    loadBalancer: compileLoadBalancer(cluster.loadBalancer),
    connectTimeoutMs: connectTimeout,
    keepAliveIdleMs: keepAlive.idleTimeout,
    circuitBreaker: circuitBreaker === null ? null : compileCircuitBreaker(circuitBreaker),
    retryBudget,
    filters: filters.map(compileFilter),
  } satisfies Cluster
}

function compileLoadBalancer({ policy, choices }: ResolvedConfig['clusters'][number]['loadBalancer']): LoadBalancer {
  return policy === 'least-request' ? { policy, choices } : { policy }
}

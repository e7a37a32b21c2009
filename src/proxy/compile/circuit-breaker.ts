/** `clusters[].circuitBreaker` → the engine's bounds; 0 is none. */
import type { ResolvedConfig } from '../../config/config.js'
import type { CircuitBreaker } from '../../native/snapshot.js'

type Breaker = NonNullable<ResolvedConfig['clusters'][number]['circuitBreaker']>

export function compileCircuitBreaker(breaker: Breaker): CircuitBreaker {
  return {
    maxConnections: breaker.maxConnections ?? 0,
    maxPending: breaker.maxPending,
    maxRequests: breaker.maxRequests ?? 0,
    maxRetries: breaker.maxRetries,
  } satisfies CircuitBreaker
}

/** `routes[]` → the engine's routes. */
import type { ResolvedConfig } from '../../config/config.js'
import type { Route } from '../../native/snapshot.js'
import { type Ids, id } from './ids.js'
import { compileRetry } from './retry.js'

export function compileRoute(route: ResolvedConfig['routes'][number], listenerIds: Ids, clusterIds: Ids): Route {
  const [target] = route.forward
  return {
    name: route.name,
    listeners:
      route.listeners === null ? [...listenerIds.values()] : route.listeners.map((name) => id(listenerIds, name)),
    cluster: id(clusterIds, target?.cluster ?? ''),
    timeoutMs: route.timeout,
    firstByteTimeoutMs: route.firstByteTimeout,
    idleTimeoutMs: route.idleTimeout,
    retry: route.retry === null ? null : compileRetry(route.retry),
  } satisfies Route
}

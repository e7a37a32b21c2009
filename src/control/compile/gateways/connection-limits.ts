/**
 * When forwarded connections are ended: what the DestinationRule of the first destination that takes any says, as in
 * Istio, since one connection knows no other.
 */
import { referencedClusters } from '../clusters/cluster-references.js'
import type { Client } from '../clusters/destination-rules.js'
import type { Mesh } from '../mesh/mesh.js'
import type { ConnectionRoute, Listener } from '../nouns.js'

export function withConnectionLimits(mesh: Mesh, listener: Listener, client: Client): Listener {
  if (listener.connections.length === 0) return listener
  return { ...listener, connections: listener.connections.map((route) => limited(mesh, route, client)) }
}

function limited(mesh: Mesh, route: ConnectionRoute, client: Client): ConnectionRoute {
  const first = route.forward.find(({ weight }) => weight > 0)
  const [compiled] = first === undefined ? [] : referencedClusters(mesh, [first.cluster], client)
  return compiled === undefined ? route : { ...route, limits: compiled.limits }
}

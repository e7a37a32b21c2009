/** Connections that go through a proxy, where a DestinationRule says so of the service that they are forwarded to. */
import { referencedClusters } from '../clusters/cluster-references.js'
import { clientOf } from '../clusters/destination-rules.js'
import type { MeshFinding } from '../finding.js'
import type { Mesh } from '../mesh/mesh.js'
import type { MeshNode } from '../mesh/node.js'
import type { ConnectionRoute, Listener, Origin, Tunnel } from '../nouns.js'

/** One route has one tunnel: where its services disagree, its connections are closed and the finding says why. */
export function throughTunnels(
  mesh: Mesh,
  node: MeshNode,
  listeners: Listener[],
): { listeners: Listener[]; findings: MeshFinding[] } {
  const findings: MeshFinding[] = []
  const client = clientOf(mesh, node)
  const tunnelled = (route: ConnectionRoute): ConnectionRoute => {
    const names = route.forward.filter(({ weight }) => weight > 0).map(({ cluster }) => cluster)
    const clusters = referencedClusters(mesh, names, client)
    const tunnels = new Map(clusters.map(({ tunnel }) => [JSON.stringify(tunnel), tunnel]))
    const [tunnel = null] = tunnels.values()
    if (tunnels.size <= 1) return tunnel === null ? route : { ...route, tunnel }
    // Who writes no route names one service.
    if (route.origin !== null) findings.push(disagreement(route.origin, [...tunnels.values()]))
    return { ...route, forward: [] }
  }
  const through = listeners.map((listener) => {
    const connections = listener.connections.map(tunnelled)
    return connections.every((one, index) => one === listener.connections[index])
      ? listener
      : { ...listener, connections }
  })
  return { listeners: through, findings }
}

function disagreement(origin: Origin, tunnels: (Tunnel | null)[]): MeshFinding {
  const targets = tunnels.map((tunnel) => (tunnel === null ? 'none' : `${tunnel.method} ${tunnel.target}`)).join(', ')
  return {
    ...{ severity: 'error', code: 'WEFT_MESH_CONFLICT', origin, stops: true },
    message: `its services are reached through different tunnels (${targets}): its connections are closed`,
    hint: 'let all of them have one tunnel, or write a route for each',
  }
}

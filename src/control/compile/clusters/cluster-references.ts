/** The clusters that routes name, each compiled once; names that lead nowhere are left out. */

import { carriedBy, type Mesh } from '../mesh/mesh.js'
import type { ConnectionRoute, Route } from '../nouns.js'
import { type CompiledCluster, compileCluster } from './clusters.js'
import type { Client } from './destination-rules.js'

export function clustersOfRoutes(routes: readonly Route[]): string[] {
  return routes.flatMap(({ action, mirror, externalAuth }) => [
    ...('forward' in action ? action.forward.map(({ cluster }) => cluster) : []),
    ...mirror.map(({ cluster }) => cluster),
    ...(externalAuth === null ? [] : [externalAuth.cluster]),
  ])
}

/** Those of weight 0 too: connections that were made before the weight was moved are there still. */
export function clustersOfConnections(routes: readonly ConnectionRoute[]): string[] {
  return routes.flatMap(({ forward }) => forward.map(({ cluster }) => cluster))
}

export function referencedClusters(mesh: Mesh, names: readonly string[], client: Client): CompiledCluster[] {
  return [...new Set(names)].sort().flatMap((name) => {
    const { carried, cluster } = carriedBy(name)
    const [place = '', service = '', port = '', subset] = cluster.split('/')
    const definition = mesh.services.get(`${place}/${service}`)?.definition
    const found = definition?.ports.find((one) => one.name === port || String(one.number) === port)
    return definition === undefined || found === undefined
      ? []
      : [compileCluster(mesh, { service: definition, port: found, subset, client, carried })]
  })
}

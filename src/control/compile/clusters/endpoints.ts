/** The endpoints of a cluster as a client in some place sees them: grouped, and in the order in which it tries them. */

import type { Mesh } from '../mesh/mesh.js'
import { includesLabels, type ServiceDefinition, type ServiceEndpoint } from '../mesh/services.js'
import type { ClusterEndpoints, Endpoint, Locality } from '../nouns.js'
import { peerMode } from '../policies/peer-authentication.js'
import type { CompiledCluster } from './clusters.js'
import { outlookOf, type Placed, priorityOf, seenBy } from './locality-order.js'

/** Clusters of one name may be several: what a rule says may differ from client to client. */
const kept = new WeakMap<readonly ServiceEndpoint[], WeakMap<CompiledCluster, Map<string, ClusterEndpoints>>>()

export function clusterEndpoints(mesh: Mesh, compiled: CompiledCluster, client: Placed): ClusterEndpoints {
  const endpoints = mesh.services.get(compiled.service.key)?.endpoints ?? none
  const seen = seenBy(outlookOf([compiled.order]), client)
  const ofService = kept.get(endpoints) ?? new WeakMap<CompiledCluster, Map<string, ClusterEndpoints>>()
  const ofCluster = ofService.get(compiled) ?? new Map<string, ClusterEndpoints>()
  const value = ofCluster.get(seen) ?? build(mesh, compiled, endpoints, client)
  kept.set(endpoints, ofService.set(compiled, ofCluster.set(seen, value)))
  return value
}

const none: readonly ServiceEndpoint[] = []

function build(
  mesh: Mesh,
  { cluster, port, subset, order, service, isClosed }: CompiledCluster,
  endpoints: readonly ServiceEndpoint[],
  client: Placed,
): ClusterEndpoints {
  if (isClosed) return { cluster: cluster.name, localities: [] }
  const chosen = endpoints
    .map((endpoint) => ({ ...endpoint, labels: { app: service.name, ...endpoint.labels } }))
    .filter(({ labels, ports }) => (subset === null || includesLabels(labels, subset)) && (ports[port.name] ?? 0) > 0)
  const isMutual = (endpoint: ServiceEndpoint) =>
    cluster.tls?.byEndpoint != null && takesMutualAlone(mesh, service, endpoint, port.name)
  const groups = groupBy(chosen, ({ region, zone }) => `${region}/${zone}`)
  const shares = order === null ? null : distribution(order.distribute, client)
  const localities = [...groups]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .flatMap(([place, group]): Locality[] => {
      const [{ region, zone } = { region: '', zone: '' }] = group
      const locality = (priority: number, weight: number | null, members: ServiceEndpoint[]): Locality => {
        return {
          region,
          zone,
          priority,
          weight,
          endpoints: members.map((endpoint) => noun(endpoint, port.name, isMutual(endpoint))),
        }
      }
      if (shares !== null) {
        const weight = share(shares, place, [...groups.keys()])
        return weight === 0 ? [] : [locality(0, weight, group)]
      }
      const byPriority = groupBy(group, (endpoint) => (order === null ? 0 : priorityOf(order, client, endpoint)))
      return [...byPriority].sort(([a], [b]) => a - b).map(([priority, members]) => locality(priority, null, members))
    })
  return { cluster: cluster.name, localities: withoutGaps(localities) }
}

function groupBy<Key>(endpoints: readonly ServiceEndpoint[], keyOf: (endpoint: ServiceEndpoint) => Key) {
  const groups = new Map<Key, ServiceEndpoint[]>()
  for (const endpoint of endpoints) {
    const key = keyOf(endpoint)
    const group = groups.get(key)
    if (group === undefined) groups.set(key, [endpoint])
    else group.push(endpoint)
  }
  return groups
}

function takesMutualAlone(
  mesh: Mesh,
  { namespace, name }: ServiceDefinition,
  { labels, ports }: ServiceEndpoint,
  port: string,
): boolean {
  const selectable = { ...labels, 'weft.io/service': name }
  return peerMode(mesh, namespace, selectable, ports[port] ?? null).mode === 'strict'
}

function noun({ address, ports, weight, health }: ServiceEndpoint, portName: string, mutual: boolean): Endpoint {
  const [port, healthy, draining] = [ports[portName] ?? 0, health !== 'unhealthy', health === 'draining']
  return { address, port, weight, healthy, draining, ...(mutual ? { mutual } : {}) }
}

/** Priorities must follow each other without a hole. */
function withoutGaps(localities: Locality[]): Locality[] {
  const used = [...new Set(localities.map(({ priority }) => priority))].sort((a, b) => a - b)
  return localities.map((locality) => ({ ...locality, priority: used.indexOf(locality.priority) }))
}

type Shares = Record<string, number>

function distribution(rules: { from: string; to: Shares }[], client: Placed): Shares | null {
  return rules.find(({ from }) => placeMatches(from, `${client.region}/${client.zone}`))?.to ?? null
}

/** `region/*` is shared evenly by the zones that match it. */
function share(shares: Shares, place: string, places: string[]): number {
  const found = Object.entries(shares).find(([pattern]) => placeMatches(pattern, place))
  if (found === undefined) return 0
  const [pattern, percent] = found
  return Math.max(1, Math.round((percent * 100) / places.filter((one) => placeMatches(pattern, one)).length))
}

function placeMatches(pattern: string, place: string): boolean {
  if (pattern === '*' || pattern === place) return true
  return pattern.endsWith('/*') ? place.startsWith(pattern.slice(0, -1)) : place.startsWith(`${pattern}/`)
}

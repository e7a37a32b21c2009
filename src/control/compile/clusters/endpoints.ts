/** The endpoints of a cluster as a client in some locality sees them: grouped, and ordered by how near they are. */

import type { Mesh } from '../mesh/mesh.js'
import { includesLabels, type ServiceEndpoint } from '../mesh/services.js'
import type { ClusterEndpoints, Locality } from '../nouns.js'
import type { CompiledCluster } from './clusters.js'

export interface ClientLocality {
  region: string
  zone: string
}

/** Clusters of one name may be several: what a rule says may differ from client to client. */
const kept = new WeakMap<readonly ServiceEndpoint[], WeakMap<CompiledCluster, Map<string, ClusterEndpoints>>>()

export function clusterEndpoints(mesh: Mesh, compiled: CompiledCluster, client: ClientLocality): ClusterEndpoints {
  const endpoints = mesh.services.get(compiled.service.key)?.endpoints ?? none
  const place = compiled.locality === null ? '' : `${client.region}/${client.zone}`
  const ofService = kept.get(endpoints) ?? new WeakMap<CompiledCluster, Map<string, ClusterEndpoints>>()
  const ofCluster = ofService.get(compiled) ?? new Map<string, ClusterEndpoints>()
  const value = ofCluster.get(place) ?? build(compiled, endpoints, client)
  kept.set(endpoints, ofService.set(compiled, ofCluster.set(place, value)))
  return value
}

const none: readonly ServiceEndpoint[] = []

function build(
  { cluster, port, subset, locality, service, isClosed }: CompiledCluster,
  endpoints: readonly ServiceEndpoint[],
  client: ClientLocality,
): ClusterEndpoints {
  if (isClosed) return { cluster: cluster.name, localities: [] }
  const chosen = endpoints.filter(
    ({ labels, ports }) =>
      (subset === null || includesLabels({ app: service.name, ...labels }, subset)) && (ports[port.name] ?? 0) > 0,
  )
  const groups = new Map<string, ServiceEndpoint[]>()
  for (const endpoint of chosen) {
    const key = `${endpoint.region}/${endpoint.zone}`
    groups.set(key, [...(groups.get(key) ?? []), endpoint])
  }
  const shares = locality === null ? null : distribution(locality.distribute, client)
  const localities = [...groups]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .flatMap(([place, group]): Locality[] => {
      const [{ region, zone } = { region: '', zone: '' }] = group
      const weight = shares === null ? null : share(shares, place, [...groups.keys()])
      if (weight === 0) return []
      const priority = locality === null || shares !== null ? 0 : distance(locality.failover, client, { region, zone })
      return [{ region, zone, priority, weight, endpoints: group.map((endpoint) => noun(endpoint, port.name)) }]
    })
  return { cluster: cluster.name, localities: withoutGaps(localities) }
}

function noun({ address, ports, weight, health }: ServiceEndpoint, port: string) {
  return { address, port: ports[port] ?? 0, weight, healthy: health !== 'unhealthy', draining: health === 'draining' }
}

/** 0 in the same zone, 1 in the same region, 2 where the region fails over to, 3 elsewhere. */
function distance(
  failover: { from: string; to: string }[],
  client: ClientLocality,
  { region, zone }: ClientLocality,
): number {
  if (client.region === '') return 0
  if (region === client.region) return zone === client.zone ? 0 : 1
  return failover.some(({ from, to }) => from === client.region && to === region) ? 2 : 3
}

/** Priorities must follow each other without a hole. */
function withoutGaps(localities: Locality[]): Locality[] {
  const used = [...new Set(localities.map(({ priority }) => priority))].sort()
  return localities.map((locality) => ({ ...locality, priority: used.indexOf(locality.priority) }))
}

type Shares = Record<string, number>

function distribution(rules: { from: string; to: Shares }[], client: ClientLocality): Shares | null {
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

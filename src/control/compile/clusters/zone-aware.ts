/**
 * Balancing that prefers the client's own zone: Envoy works out how much of it stays there, from the zones of the cluster
 * and those of the client's own service, which its bootstrap names as the local cluster (`--zone-aware`).
 */

import { destinationRule } from '../../resources/destination-rule.js'
import type { TrafficPolicy, TrafficPolicyParts } from '../../resources/traffic-policy.js'
import { describeOrigin, type MeshFinding } from '../finding.js'
import { keep, type Mesh } from '../mesh/mesh.js'
import { localCluster, type MeshNode } from '../mesh/node.js'
import type { ServiceEndpoint } from '../mesh/services.js'
import type { Cluster, ClusterEndpoints, Locality } from '../nouns.js'

export function spread(mesh: Mesh, { loadBalancer }: TrafficPolicyParts): Cluster['spread'] {
  const { localityLbSetting: locality, zoneAwareLbSetting: zones } = loadBalancer ?? {}
  if (locality?.enabled === true && locality.distribute.length > 0) return { type: 'weighted' }
  if (zones?.enabled === true) return { type: 'zone-aware', minEndpoints: zones.minClusterSize ?? null }
  return someAreZoneAware(mesh) ? { type: 'alike' } : null
}

function someAreZoneAware(mesh: Mesh): boolean {
  const isZoneAware = (policy: TrafficPolicy | undefined) =>
    policy !== undefined &&
    [policy, ...policy.portLevelSettings].some(({ loadBalancer }) => loadBalancer?.zoneAwareLbSetting?.enabled === true)
  return keep(mesh, 'zone-aware', () =>
    mesh.kinds
      .of(destinationRule)
      .some(({ spec }) => [spec, ...spec.subsets].some(({ trafficPolicy }) => isZoneAware(trafficPolicy))),
  )
}

export interface OwnZones {
  /** With what the data plane asks for as its local cluster; no list where it does not ask. */
  endpoints: (readonly ClusterEndpoints[])[]
  findings: MeshFinding[]
}

const nothing: OwnZones = { endpoints: [], findings: [] }

/** `clusters`: those that the data plane has. */
export function ownZones(mesh: Mesh, node: MeshNode, clusters: readonly Cluster[]): OwnZones {
  const aware = zoneAwareOf(clusters)
  if (node.plane !== 'envoy' || aware.length === 0)
    return node.zoneAware ? { endpoints: [nowhere], findings: [] } : nothing
  const endpoints = node.zoneAware ? [ownEndpoints(mesh, node)] : []
  const lack = lacking(mesh, node)
  if (lack === null) return { endpoints, findings: [] }
  const origins = aware.flatMap(({ origins: [first] }) => (first === undefined ? [] : [first]))
  const distinct = [...new Map(origins.map((origin) => [describeOrigin(origin), origin])).values()]
  return {
    endpoints,
    findings: distinct.map((origin) => ({ severity: 'error', code: 'WEFT_MESH_UNSUPPORTED', origin, ...lack })),
  }
}

const awareLists = new WeakMap<readonly Cluster[], readonly Cluster[]>()

function zoneAwareOf(clusters: readonly Cluster[]): readonly Cluster[] {
  const aware = awareLists.get(clusters) ?? clusters.filter(({ spread: how }) => how?.type === 'zone-aware')
  awareLists.set(clusters, aware)
  return aware
}

/** Without endpoints Envoy does not look at zones. */
const nowhere: readonly ClusterEndpoints[] = [{ cluster: localCluster, localities: [] }]

function lacking(mesh: Mesh, node: MeshNode): Pick<MeshFinding, 'message' | 'hint' | 'stops'> | null {
  const { id, namespace, service, zone, zoneAware } = node
  const lack = (why: string, hint: string) => ({ message: `zoneAwareLbSetting has no effect on ${id}: ${why}`, hint })
  const itself = 'its bootstrap does not name its own service'
  if (!zoneAware) return { ...lack(itself, 'write it with weft bootstrap envoy --zone-aware'), stops: true }
  if (zone === '')
    return { ...lack('it does not say in which zone it is', 'write its bootstrap with --zone'), stops: true }
  if ((mesh.services.get(`${namespace}/${service}`)?.endpoints.length ?? 0) > 0) return null
  return lack(`its own service ${namespace}/${service} has no endpoints`, 'register them with their zones')
}

const kept = new WeakMap<readonly ServiceEndpoint[], Map<string, readonly ClusterEndpoints[]>>()

/** In its region alone: the zones of another say nothing about the share of its own. */
function ownEndpoints(mesh: Mesh, { namespace, service, region }: MeshNode): readonly ClusterEndpoints[] {
  const all = mesh.services.get(`${namespace}/${service}`)?.endpoints
  if (all === undefined) return nowhere
  const known = kept.get(all) ?? new Map<string, readonly ClusterEndpoints[]>()
  const value = known.get(region) ?? [{ cluster: localCluster, localities: inZones(all, region) }]
  kept.set(all, known.set(region, value))
  return value
}

function inZones(endpoints: readonly ServiceEndpoint[], region: string): Locality[] {
  const here = endpoints.filter((endpoint) => endpoint.region === region)
  return [...new Set(here.map(({ zone }) => zone))].sort().map((zone): Locality => {
    const members = here.filter((endpoint) => endpoint.zone === zone)
    // Nobody is asked through this cluster: where they are is all that counts.
    const told = members.map(({ address, ports, health }) => {
      const port = ports.main ?? Object.values(ports)[0] ?? 0
      return { address, port, weight: 1, healthy: health !== 'unhealthy', draining: health === 'draining' }
    })
    return { region, zone, priority: 0, weight: null, endpoints: told }
  })
}

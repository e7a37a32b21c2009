/**
 * The part of the mesh that one data plane sees, as nouns: its listeners, the routes of what it may reach, and the
 * clusters that those routes name.
 *
 * Invariants: pure; what nodes have in common is the same object for all of them (`shared`), so that a thousand data
 * planes cost little more than one.
 */

import { connectionRefusals, refusals } from './capabilities.js'
import { clustersOfConnections, clustersOfRoutes, referencedClusters } from './clusters/cluster-references.js'
import type { CompiledCluster } from './clusters/clusters.js'
import { closed } from './clusters/credentials.js'
import { type Client, clientOf } from './clusters/destination-rules.js'
import { clusterEndpoints } from './clusters/endpoints.js'
import { type Outlook, outlookOf, type Placed, seenBy } from './clusters/locality-order.js'
import { ownZones } from './clusters/zone-aware.js'
import { describeOrigin, distinctFindings, type MeshFinding } from './finding.js'
import { withConnectionLimits } from './gateways/connection-limits.js'
import { type CompiledGateway, compileGateway } from './gateways/gateways.js'
import type { Authentication } from './listener-nouns.js'
import { keep, type Mesh } from './mesh/mesh.js'
import { type MeshNode, selectableLabels } from './mesh/node.js'
import { type Reach, reachOf } from './mesh/reach.js'
import type { Cluster, ClusterEndpoints, HostRoutes, Listener, Origin, Route, RouteTable } from './nouns.js'
import { listenerPolicies } from './policies/listener-policies.js'
import { withoutPort } from './routes/host-ports.js'
import { defaultRoute } from './routes/service-routes.js'
import { sourceOf } from './routes/source.js'
import { egressTables } from './sidecars/egress-tables.js'
import { outboundConnections } from './sidecars/outbound-connections.js'
import { ownSide } from './sidecars/own-side.js'

/** What all clients with one reach have in common. */
export interface SharedView {
  /** Key of the reach, with the data plane that it is for. */
  key: string
  /** The one of what is reached at ports of their own last. */
  tables: RouteTable[]
  /** The same as `compiled`, alone: a list that keeps its identity. */
  nouns: Cluster[]
  clusters: CompiledCluster[]
  /** What of a client its endpoints depend on. */
  outlook: Outlook
  identity: MeshView['identity']
  findings: MeshFinding[]
}

export interface MeshView {
  node: MeshNode
  listeners: Listener[]
  /** Whose tokens those take that read them. */
  authentication: Authentication | null
  tables: RouteTable[]
  /** In lists, of which several nodes may have the same. */
  clusters: (readonly Cluster[])[]
  endpoints: (readonly ClusterEndpoints[])[]
  /** Names of certificates that listeners show beside the workload's own. */
  secrets: { name: string; origin: Origin }[]
  /** What needs the workload's own certificate and the mesh's roots; null: nothing does. */
  identity: { origin: Origin | null } | null
  findings: MeshFinding[]
}

/** `identities`: whether there are certificates at all; without, PERMISSIVE is the same as DISABLE. */
export function compileView(mesh: Mesh, node: MeshNode, identities = true): MeshView {
  return node.role === 'gateway' ? gatewayView(mesh, node) : sidecarView(mesh, node, identities)
}

function sidecarView(mesh: Mesh, node: MeshNode, identities: boolean): MeshView {
  const reach = reachOf(mesh, node)
  const shared = sharedView(mesh, node, reach)
  const connecting = outboundConnections(mesh, node, reach)
  const own = ownSide(mesh, node, reach, identities)
  const connected = connecting.clusters.length === 0 ? [] : [connecting]
  const listeners = joined(own.listeners, connecting.listeners)
  const zones = ownZones(mesh, node, shared.nouns)
  return {
    node,
    listeners,
    authentication: own.authentication,
    tables: [...shared.tables, ...own.tables],
    clusters: [shared.nouns, own.clusters, ...connected.map(({ nouns }) => nouns)],
    endpoints: [
      sharedEndpoints(mesh, shared, node),
      own.endpoints,
      ...connected.map((one) => sharedEndpoints(mesh, one, node)),
      ...zones.endpoints,
    ],
    secrets: listeners.flatMap(secretsOf).filter(isFirstOfName),
    identity: own.identity ?? shared.identity ?? mutualOf(connecting.nouns),
    findings: [...shared.findings, ...reach.findings, ...connecting.findings, ...own.findings, ...zones.findings],
  }
}

const joinedLists = new WeakMap<Listener[], WeakMap<Listener[], Listener[]>>()

/** The same list for the same two. */
function joined(own: Listener[], others: Listener[]): Listener[] {
  if (others.length === 0) return own
  const known = joinedLists.get(own) ?? new WeakMap<Listener[], Listener[]>()
  const list = known.get(others) ?? [...own, ...others]
  joinedLists.set(own, known.set(others, list))
  return list
}

const endpointLists = new WeakMap<Mesh, Map<string, ClusterEndpoints[]>>()

/** One list for all nodes that see the same, and for all nodes where none of the clusters looks at a node. */
function sharedEndpoints(
  mesh: Mesh,
  { key, clusters, outlook }: Pick<SharedView, 'key' | 'clusters' | 'outlook'>,
  node: MeshNode,
): ClusterEndpoints[] {
  const lists = endpointLists.get(mesh) ?? new Map<string, ClusterEndpoints[]>()
  if (lists.size === 0) endpointLists.set(mesh, lists)
  const client = placed(node)
  const at = `${key} from ${seenBy(outlook, client)}`
  const list = lists.get(at) ?? clusters.filter(isWithEndpoints).map((one) => clusterEndpoints(mesh, one, client))
  lists.set(at, list)
  return list
}

function placed(node: MeshNode): Placed {
  const { region, zone } = node
  return { region, zone, labels: selectableLabels(node) }
}

function isWithEndpoints({ cluster }: CompiledCluster): boolean {
  return cluster.discovery.type === 'mesh'
}

export function sharedView(mesh: Mesh, node: MeshNode, reach: Reach): SharedView {
  const client = clientOf(mesh, node)
  const source = sourceOf(mesh, node)
  const key = [node.plane, reach.key, 'for', client.key, ...source.has].join(' ')
  // What is hashed on is written into routes and may be other than for the rest of the namespace.
  const own = (host: HostRoutes) => (client.selecting.length === 0 ? host : { ...host })
  return keep(mesh, `shared ${key}`, () => {
    const tables = egressTables(mesh, reach, source).map(({ name, hosts }) => ({
      ...{ name, hosts: distinctHosts(hosts.map(({ host }) => host)).map(own) },
      findings: distinctFindings(hosts.flatMap((one) => one.findings)),
    }))
    return withCapabilities(mesh, node.plane, { key, client, tables })
  })
}

interface Wanted {
  key: string
  client: Client
  tables: { name: string; hosts: HostRoutes[]; findings: MeshFinding[] }[]
}

/** Leaves out what the data plane cannot do, and compiles the clusters that the rest names. */
function withCapabilities(mesh: Mesh, plane: MeshNode['plane'], { key, client, tables: written }: Wanted): SharedView {
  const clustersOf = (routes: Route[]) => referencedClusters(mesh, clustersOfRoutes(routes), client)
  const all = written.flatMap(({ hosts }) => hosts.flatMap(({ routes }) => routes))
  const { refused, findings: lacking } = refusals(
    plane,
    all,
    clustersOf(all).map(({ cluster }) => cluster),
  )
  const inForce = ({ origin }: Route) => origin === null || !refused.has(describeOrigin(origin))
  const keptOf = (host: HostRoutes) => {
    if (host.routes.every(inForce)) return host
    const routes = host.routes.flatMap((route) => (inForce(route) ? [route] : closedRoute(route)))
    return {
      ...host,
      routes: routes.length > 0 || host.name.startsWith('host/') ? routes : [defaultRoute(withoutPort(host.name))],
    }
  }
  const tables = written.map(({ name, hosts }) => ({ name, hosts: hosts.map(keptOf), authorization: null }))
  const kept = tables.flatMap(({ hosts }) => hosts.flatMap(({ routes }) => routes))
  const clusters = clustersOf(kept).map((one) => withoutRefused(one, refused))
  const nouns = clusters.map(({ cluster }) => cluster)
  return {
    key,
    tables,
    nouns,
    clusters,
    outlook: outlookOf(clusters.map(({ order }) => order)),
    identity: mutualOf(nouns),
    findings: [...written, ...clusters].flatMap((one) => one.findings).concat(lacking),
  }
}

/** Where nobody can be asked whether requests pass, none does. */
function closedRoute({ name, match, externalAuth, origin }: Route): Route[] {
  if (externalAuth === null) return []
  const action: Route['action'] = { respond: { status: 403, body: '' } }
  return [{ ...defaultRoute(''), name, match: { ...match, method: null, query: [] }, action, retry: null, origin }]
}

/**
 * A cluster whose DestinationRule is not in force keeps to what every data plane can. TLS that one cannot speak is not left
 * out: the service is not called.
 */
function withoutRefused(compiled: CompiledCluster, refused: ReadonlySet<string>): CompiledCluster {
  if (!compiled.cluster.origins.some((origin) => refused.has(describeOrigin(origin)))) return compiled
  const known = compiled.cluster.tls?.mode === 'simple' ? closed(compiled) : compiled
  const { cluster } = known
  const plain: Cluster = {
    ...cluster,
    loadBalancer: { policy: 'round-robin', hashOn: null, minRing: null, tableSize: null, slowStart: null },
    circuitBreaker: { maxConnections: null, maxPending: null, maxRequests: null, maxRetries: null },
    outlierDetection: null,
    proxyProtocol: null,
    spread: null,
  }
  return { ...known, cluster: plain, order: null }
}

/** Each host name stands once: a name of the client's own namespace before the same one from elsewhere. */
function distinctHosts(list: HostRoutes[]): HostRoutes[] {
  const taken = new Set<string>()
  return list.flatMap((host) => {
    const free = host.hosts.filter((name) => !taken.has(name))
    for (const name of free) taken.add(name)
    return free.length === 0 ? [] : [free.length === host.hosts.length ? host : { ...host, hosts: free }]
  })
}

function mutualOf(clusters: readonly Cluster[]): MeshView['identity'] {
  const mutual = clusters.find(({ tls }) => tls?.mode === 'mutual')
  return mutual === undefined ? null : { origin: mutual.origins[0] ?? null }
}

function gatewayView(mesh: Mesh, node: MeshNode): MeshView {
  const side = keep(mesh, `gateway ${JSON.stringify(node)}`, () => gatewaySide(mesh, node))
  const { listeners, authentication, tables, collectors, findings } = side
  const routes = tables.flatMap(({ hosts }) => hosts.flatMap((host) => host.routes))
  const connections = listeners.flatMap((listener) => listener.connections)
  const names = [...clustersOfRoutes(routes), ...clustersOfConnections(connections)]
  const clusters = referencedClusters(mesh, names, clientOf(mesh, node))
  const nouns = clusters.map(({ cluster }) => cluster)
  const zones = ownZones(mesh, node, nouns)
  return {
    node,
    listeners,
    authentication,
    tables,
    clusters: collectors.length === 0 ? [nouns] : [nouns, collectors],
    endpoints: [
      clusters.filter(isWithEndpoints).map((one) => clusterEndpoints(mesh, one, placed(node))),
      ...zones.endpoints,
    ],
    secrets: listeners.flatMap(secretsOf).filter(isFirstOfName),
    identity: mutualOf(nouns),
    findings: [...findings, ...clusters.flatMap((one) => one.findings), ...zones.findings],
  }
}

/** Its doors with the policies that hold on them; of what it logs, all is of requests that it makes. */
function gatewaySide(mesh: Mesh, node: MeshNode) {
  const { listeners, tables, findings } = inForceOn(node, compileGateway(mesh, node))
  const { authentication, telemetry, clusters: collectors, findings: more } = listenerPolicies(mesh, node)
  const told = (listener: Listener) =>
    listener.routes === null ? listener : { ...listener, telemetry: telemetry.CLIENT }
  const whole = (listener: Listener) => withConnectionLimits(mesh, listener, clientOf(mesh, node))
  return {
    listeners: listeners.map(told).map(whole),
    authentication,
    tables,
    collectors,
    findings: [...findings, ...more],
  }
}

function secretsOf({ tls, connections }: Listener): MeshView['secrets'] {
  return [
    ...(tls?.certificates ?? []).map(({ secret: name, origin }) => ({ name, origin })),
    ...connections.flatMap(({ tls: own, origin }) =>
      own.mode === 'terminate' && origin !== null ? [{ name: own.secret, origin }] : [],
    ),
  ]
}

function isFirstOfName({ name }: { name: string }, index: number, all: MeshView['secrets']): boolean {
  return all.findIndex((one) => one.name === name) === index
}

/** Without the routes of connections that the data plane cannot have. */
function inForceOn({ plane }: MeshNode, compiled: CompiledGateway): CompiledGateway {
  const { refused, findings } = connectionRefusals(
    plane,
    compiled.listeners.flatMap(({ connections }) => connections),
  )
  if (refused.size === 0) return compiled
  const listeners = compiled.listeners
    .map((one) => ({
      ...one,
      connections: one.connections.filter(({ origin }) => origin === null || !refused.has(describeOrigin(origin))),
    }))
    .filter(({ routes, connections }) => routes !== null || connections.length > 0)
  return { ...compiled, listeners, findings: [...compiled.findings, ...findings] }
}

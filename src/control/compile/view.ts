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
import { plainCluster } from './clusters/plain-cluster.js'
import { ownZones } from './clusters/zone-aware.js'
import { describeOrigin, distinctFindings, type MeshFinding } from './finding.js'
import { withConnectionLimits } from './gateways/connection-limits.js'
import { type CompiledGateway, compileGateway } from './gateways/gateways.js'
import type { Authentication, ListenerTelemetry } from './listener-nouns.js'
import { keep, type Mesh } from './mesh/mesh.js'
import { inboundPort, type MeshNode, selectableLabels } from './mesh/node.js'
import { type Reach, reachOf } from './mesh/reach.js'
import type {
  Authorization,
  Cluster,
  ClusterEndpoints,
  HostRoutes,
  Listener,
  Origin,
  Route,
  RouteTable,
} from './nouns.js'
import { authorizationFor } from './policies/authorization.js'
import { type ListenerPolicies, listenerPolicies } from './policies/listener-policies.js'
import { type PeerModeFound, peerMode } from './policies/peer-authentication.js'
import { withoutPort } from './routes/host-ports.js'
import { defaultRoute, foreignHosts, serviceRoutes } from './routes/service-routes.js'
import { sourceOf } from './routes/source.js'

/** What all clients with one reach have in common. */
export interface SharedView {
  /** Key of the reach, with the data plane that it is for. */
  key: string
  table: RouteTable
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

export const ownCluster = 'self'
/** Table and listener through which a sidecar's application reaches other services. */
export const outboundTable = 'outbound'

/** `identities`: whether there are certificates at all; without, PERMISSIVE is the same as DISABLE. */
export function compileView(mesh: Mesh, node: MeshNode, identities = true): MeshView {
  return node.role === 'gateway' ? gatewayView(mesh, node) : sidecarView(mesh, node, identities)
}

function sidecarView(mesh: Mesh, node: MeshNode, identities: boolean): MeshView {
  const reach = reachOf(mesh, node)
  const shared = sharedView(mesh, node, reach)
  const own = ownSide(mesh, node, identities)
  const zones = ownZones(mesh, node, shared.nouns)
  return {
    node,
    listeners: own.listeners,
    authentication: own.authentication,
    tables: [shared.table, ...own.tables],
    clusters: [shared.nouns, own.clusters],
    endpoints: [sharedEndpoints(mesh, shared, node), own.endpoints, ...zones.endpoints],
    secrets: [],
    identity: own.identity ?? shared.identity,
    findings: [...shared.findings, ...reach.findings, ...own.findings, ...zones.findings],
  }
}

const endpointLists = new WeakMap<Mesh, Map<string, ClusterEndpoints[]>>()

/** One list for all nodes that see the same, and for all nodes where none of the clusters looks at a node. */
function sharedEndpoints(mesh: Mesh, { key, clusters, outlook }: SharedView, node: MeshNode): ClusterEndpoints[] {
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
  return keep(mesh, `shared ${key}`, () => {
    const compiled = [
      ...reach.services.flatMap((service) =>
        service.ports
          .filter(({ protocol }) => protocol !== 'tcp')
          .flatMap((port) => serviceRoutes(mesh, service, port, source)),
      ),
      ...foreignHosts(mesh, source).filter(({ host }) => reach.hosts(withoutPort(host.hosts[0] ?? ''), node.namespace)),
    ]
    const findings = distinctFindings(compiled.flatMap((one) => one.findings))
    const hosts = distinctHosts(compiled.map(({ host }) => host))
    // What is hashed on is written into routes and may be other than for the rest of the namespace.
    const own = client.selecting.length === 0 ? hosts : hosts.map((host) => ({ ...host }))
    return withCapabilities(mesh, node.plane, { key, client, hosts: own, findings })
  })
}

interface Wanted {
  key: string
  client: Client
  hosts: HostRoutes[]
  findings: MeshFinding[]
}

/** Leaves out what the data plane cannot do, and compiles the clusters that the rest names. */
function withCapabilities(mesh: Mesh, plane: MeshNode['plane'], { key, client, hosts, findings }: Wanted): SharedView {
  const clustersOf = (routes: Route[]) => referencedClusters(mesh, clustersOfRoutes(routes), client)
  const all = hosts.flatMap(({ routes }) => routes)
  const { refused, findings: lacking } = refusals(
    plane,
    all,
    clustersOf(all).map(({ cluster }) => cluster),
  )
  const inForce = ({ origin }: Route) => origin === null || !refused.has(describeOrigin(origin))
  const kept = hosts.map((host) => {
    if (host.routes.every(inForce)) return host
    const routes = host.routes.flatMap((route) => (inForce(route) ? [route] : closedRoute(route)))
    return {
      ...host,
      routes: routes.length > 0 || host.name.startsWith('host/') ? routes : [defaultRoute(withoutPort(host.name))],
    }
  })
  const clusters = clustersOf(kept.flatMap(({ routes }) => routes)).map((one) => withoutRefused(one, refused))
  const table = { name: outboundTable, hosts: kept, authorization: null }
  const nouns = clusters.map(({ cluster }) => cluster)
  return {
    key,
    table,
    nouns,
    clusters,
    outlook: outlookOf(clusters.map(({ order }) => order)),
    identity: mutualOf(nouns),
    findings: [...findings, ...clusters.flatMap((one) => one.findings), ...lacking],
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

const noConnections = { connections: [], authorization: null } as const satisfies Partial<Listener>

function outboundListener(address: string, telemetry: ListenerTelemetry | null): Listener {
  return {
    name: 'outbound',
    address,
    direction: 'outbound',
    routes: outboundTable,
    tls: null,
    readsTokens: false,
    telemetry,
    ...noConnections,
  }
}

function mutualOf(clusters: readonly Cluster[]): MeshView['identity'] {
  const mutual = clusters.find(({ tls }) => tls?.mode === 'mutual')
  return mutual === undefined ? null : { origin: mutual.origins[0] ?? null }
}

interface OwnSide {
  identity: MeshView['identity']
  listeners: Listener[]
  authentication: Authentication | null
  tables: RouteTable[]
  clusters: Cluster[]
  endpoints: ClusterEndpoints[]
  findings: MeshFinding[]
}

/** The same for all workloads that listen alike and have no policies of their own. */
function ownSide(mesh: Mesh, node: MeshNode, identities: boolean): OwnSide {
  const { outbound, inbound, app } = node
  const policies = keep(mesh, `policies of ${JSON.stringify(node)}`, () => ownPolicies(mesh, node))
  const who = policies.isPlain ? { outbound, inbound, app, peer: policies.peer } : node
  return keep(mesh, `own side of ${JSON.stringify(who)} ${identities}`, () =>
    buildOwnSide({ outbound, inbound, app }, policies, identities),
  )
}

interface OwnPolicies extends ListenerPolicies {
  /** Null where nobody is served. */
  peer: PeerModeFound | null
  authorization: Authorization | null
  /** Nothing but `peer` says anything. */
  isPlain: boolean
}

function ownPolicies(mesh: Mesh, node: MeshNode): OwnPolicies {
  const serves = node.inbound !== null && node.app !== null
  const policies = listenerPolicies(mesh, node)
  const peer = serves ? peerMode(mesh, node.namespace, selectableLabels(node), inboundPort(node)) : null
  const authorization = serves ? authorizationFor(mesh, node) : null
  const { authentication, telemetry, clusters, findings } = policies
  const said = [authorization, authentication, telemetry.CLIENT, telemetry.SERVER, ...clusters, ...findings]
  return { ...policies, peer, authorization, isPlain: said.every((one) => one === null) }
}

/** The listeners of a workload, and the way from the inbound one to its application. */
function buildOwnSide(
  { outbound, inbound, app }: Pick<MeshNode, 'outbound' | 'inbound' | 'app'>,
  { peer, authorization, authentication, telemetry, clusters, findings }: OwnPolicies,
  identities: boolean,
): OwnSide {
  const before = outbound === null ? [] : [outboundListener(outbound, telemetry.CLIENT)]
  if (peer === null || inbound === null || app === null)
    return { identity: null, listeners: before, authentication: null, tables: [], clusters, endpoints: [], findings }
  const { mode, origin } = peer
  const plain = mode === 'disabled' || (mode === 'permissive' && !identities)
  const route: Route = { ...defaultRoute(ownCluster), retry: null }
  const hosts: HostRoutes[] = [{ name: 'app', hosts: ['*'], routes: [route] }]
  const colon = app.lastIndexOf(':')
  const endpoint = {
    address: app.slice(0, colon).replace(/^\[|\]$/g, ''),
    port: Number(app.slice(colon + 1)),
    weight: 1,
    healthy: true,
    draining: false,
  }
  return {
    identity: plain ? null : { origin },
    listeners: [
      ...before,
      {
        name: 'inbound',
        address: inbound,
        direction: 'inbound',
        routes: 'inbound',
        tls: plain ? null : { mode, certificates: [] },
        readsTokens: true,
        telemetry: telemetry.SERVER,
        ...noConnections,
      },
    ],
    authentication,
    tables: [{ name: 'inbound', hosts, authorization }],
    clusters: [ownClusterNoun, ...clusters],
    endpoints: [
      { cluster: ownCluster, localities: [{ region: '', zone: '', priority: 0, weight: null, endpoints: [endpoint] }] },
    ],
    findings,
  }
}

const ownClusterNoun = plainCluster(ownCluster, 'downstream')

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
    ...connections.flatMap(({ tls: own, origin }) => (own.mode === 'terminate' ? [{ name: own.secret, origin }] : [])),
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
      connections: one.connections.filter(({ origin }) => !refused.has(describeOrigin(origin))),
    }))
    .filter(({ routes, connections }) => routes !== null || connections.length > 0)
  return { ...compiled, listeners, findings: [...compiled.findings, ...findings] }
}

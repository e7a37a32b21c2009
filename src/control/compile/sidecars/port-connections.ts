/**
 * Where the connections go that an application makes to one port of a service: as the routes say that hang on the service,
 * else to the service.
 */

import type { ConnectionRules } from '../../resources/connection-references.js'
import { type VirtualServiceSpec, virtualService } from '../../resources/virtual-service.js'
import { type Client, clientOf } from '../clusters/destination-rules.js'
import { type MeshFinding, originOf } from '../finding.js'
import { type ConnectionCandidate, connectionCluster, routeCandidate } from '../gateways/connection-routes.js'
import { anyName, type Claimant, type NameClaim } from '../gateways/server-names.js'
import { virtualServiceConnections } from '../gateways/virtual-service-connections.js'
import { attachments } from '../mesh/attachments.js'
import { clusterName, findPort, hostNames, isVisible, keep, type Mesh } from '../mesh/mesh.js'
import { type MeshNode, selectableLabels } from '../mesh/node.js'
import { olderFirst, type Parsed } from '../mesh/parsed.js'
import { includesLabels, type ServiceDefinition, type ServicePort } from '../mesh/services.js'
import type { ConnectionRoute, ConnectionTls } from '../nouns.js'
import { settleFamilies } from '../routes/families.js'

/** One port of a service as clients call it. */
export interface CalledPort {
  service: ServiceDefinition
  port: ServicePort & { number: number }
}

/** A route without the names that it gets of a listener, and what it would have of them. */
export interface ClaimedRoute {
  route: Omit<ConnectionRoute, 'serverNames' | 'places'>
  claimant: Claimant
}

export interface PortConnections {
  /** The first to claim a name is meant to hold it. */
  routes: ClaimedRoute[]
  findings: MeshFinding[]
}

/** Who connects. */
export interface ConnectingClient {
  /** Equal for those who are treated alike. */
  key: string
  client: Client
  labels: Labels
}

type Labels = Readonly<Record<string, string>>

/** Rules of VirtualServices look at labels. */
export function connectingClient(mesh: Mesh, node: MeshNode): ConnectingClient {
  const client = clientOf(mesh, node)
  const labels = selectableLabels(node)
  const asked = keep(mesh, 'source labels of connections', () =>
    mesh.kinds
      .of(virtualService)
      .flatMap(({ spec }) => [...spec.tls, ...spec.tcp].flatMap(({ match }) => match.map((one) => one.sourceLabels)))
      .filter((wanted) => Object.keys(wanted).length > 0),
  )
  const had = asked.map((wanted) => (includesLabels(labels, wanted) ? 1 : 0)).join('')
  return { key: `${client.key} ${had}`, client, labels }
}

export function portConnections(mesh: Mesh, { service, port }: CalledPort, clients: ConnectingClient): PortConnections {
  const name = clusterName(service, port)
  return keep(mesh, `connections to ${name} for ${clients.key}`, () => {
    const { candidates, findings } = steer(mesh, { service, port }, clients)
    const routes = candidates.map(({ route, claims }) => ({
      route,
      claimant: { listener: anyName, origin: route.origin, claims },
    }))
    if (routes.length > 0) return { routes, findings }
    const tls = tlsOf(port)
    const forward = [{ cluster: connectionCluster(mesh, name, tls, clients.client), weight: 1 }]
    const route = { name: `service/${name}`, tls, forward, limits: noLimits, tunnel: null, origin: null }
    return { routes: [{ route, claimant: unsteered(mesh, service, port, clients) }], findings }
  })
}

/** The rule of the service says them where it has any. */
const noLimits = { idleTimeoutMs: null, maxAgeMs: null }

/** A service that nobody steers is called by its own names where it shares a port, and whatever the name else. */
function unsteered(mesh: Mesh, service: ServiceDefinition, port: ServicePort, clients: ConnectingClient): Claimant {
  const { entry, namespace, name } = service
  const origin = entry === null ? { kind: 'Service', namespace, name, path: '' } : originOf(entry, 'spec.ports')
  const names = port.protocol === 'tls' ? hostNames(service, clients.client.namespace, mesh.options) : [anyName]
  return { listener: anyName, origin, claims: names.map((one) => ({ name: one.toLowerCase(), path: 'spec.ports' })) }
}

function tlsOf({ protocol }: ServicePort): ConnectionTls {
  return { mode: protocol === 'tls' ? 'passthrough' : 'none' }
}

interface Steered {
  candidates: ConnectionCandidate[]
  findings: MeshFinding[]
}

function steer(mesh: Mesh, { service, port }: CalledPort, clients: ConnectingClient): Steered {
  const attached = attachments(mesh).services.get(service.key)
  const tls = tlsOf(port)
  const gateway = [
    ...(port.protocol === 'tls' ? (attached?.tlsRoutes ?? []) : []).map((route) => ({
      route,
      claims: claimsOf(route.spec.hostnames),
    })),
    ...(port.protocol === 'tcp' ? (attached?.tcpRoutes ?? []) : []).map((route) => ({
      route,
      claims: claimsOf([], 'spec.parentRefs'),
    })),
  ]
    .filter(({ route }) => hangsOn(route, service, port, clients))
    .sort((a, b) => olderFirst(a.route.resource, b.route.resource))
    .map(({ route, claims }) => routeCandidate(mesh, route, { tls, claims, clients: clients.client }))
  const { client, labels } = clients
  const callers = { clients: client, labels, namespace: client.namespace }
  const server = { port: port.number, hosts: [anyName], tls, isGateway: (one: string) => one === 'mesh', ...callers }
  const virtual = (attached?.connectionRules ?? [])
    .filter((route) => isForMesh(route, clients))
    .flatMap((route) => virtualServiceConnections(mesh, route, server))
  const resources = (candidates: ConnectionCandidate[]) => candidates.map(({ resource }) => resource)
  const { gatewayHolds, findings } = settleFamilies(
    resources(gateway),
    resources(virtual),
    `connections to ${service.key}`,
  )
  const candidates = gatewayHolds ? gateway : virtual
  return { candidates, findings: [...candidates.flatMap((one) => one.findings), ...findings] }
}

/** Each name once, at the first place that means it. */
function claimsOf(hostnames: readonly string[], path = 'spec.hostnames'): NameClaim[] {
  if (hostnames.length === 0) return [{ name: anyName, path }]
  return [...new Set(hostnames)].map((name) => ({ name, path: `${path}[${hostnames.indexOf(name)}]` }))
}

type ConnectionRouteResource = Parsed<{
  parentRefs: { kind: string; name: string; namespace?: string | undefined; port?: number | undefined }[]
  rules: ConnectionRules
}>

/** Routes of the service's namespace hold for all clients, those of another for the clients there (GAMMA). */
function hangsOn(
  { resource, spec }: ConnectionRouteResource,
  service: ServiceDefinition,
  port: ServicePort,
  clients: ConnectingClient,
): boolean {
  const { namespace: own } = resource.metadata
  return (
    [service.namespace, clients.client.namespace].includes(own) &&
    spec.parentRefs.some(
      ({ kind, name, namespace = own, port: number }) =>
        kind === 'Service' &&
        name === service.name &&
        namespace === service.namespace &&
        (number === undefined || findPort(service, number)?.name === port.name),
    )
  )
}

function isForMesh({ resource, spec }: Parsed<VirtualServiceSpec>, clients: ConnectingClient): boolean {
  return (
    spec.gateways.includes('mesh') && isVisible(spec.exportTo, resource.metadata.namespace, clients.client.namespace)
  )
}

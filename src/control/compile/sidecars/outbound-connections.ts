/**
 * The listeners through which an application reaches services that take connections: nothing is intercepted and a
 * connection names nobody, so each port of such a service has an address of its own on the workload's side.
 */
import { connectionRefusals } from '../capabilities.js'
import { clustersOfConnections, referencedClusters } from '../clusters/cluster-references.js'
import type { CompiledCluster } from '../clusters/clusters.js'
import { type Outlook, outlookOf } from '../clusters/locality-order.js'
import { type MeshFinding, originOf } from '../finding.js'
import { withConnectionLimits } from '../gateways/connection-limits.js'
import { placesOf } from '../gateways/connection-places.js'
import { anyName, settleNames } from '../gateways/server-names.js'
import { throughTunnels } from '../gateways/tunnels.js'
import { keep, type Mesh } from '../mesh/mesh.js'
import type { MeshNode } from '../mesh/node.js'
import type { Reach } from '../mesh/reach.js'
import { type ServiceDefinition, takesConnections } from '../mesh/services.js'
import type { Cluster, ConnectionRoute, Listener } from '../nouns.js'
import { egressPlace } from './egress-tables.js'
import {
  type CalledPort,
  type ClaimedRoute,
  type ConnectingClient,
  connectingClient,
  portConnections,
} from './port-connections.js'

/** The same object for all workloads that reach and listen alike. */
export interface OutboundConnections {
  key: string
  listeners: Listener[]
  /** The same as `clusters`, alone: a list that keeps its identity. */
  nouns: Cluster[]
  clusters: CompiledCluster[]
  outlook: Outlook
  findings: MeshFinding[]
}

interface Opening extends CalledPort {
  address: string
}

export function outboundConnections(mesh: Mesh, node: MeshNode, reach: Reach): OutboundConnections {
  const { plane, namespace, service } = node
  // A gRPC client listens nowhere, and is told of each route that it does not have for that.
  const host = plane === 'grpc' ? '127.0.0.1' : node.outbound === null ? null : hostOf(node.outbound)
  const taken = [...own(node), ...localEndpoints(mesh)]
  const self = reach.services.find(
    ({ key, ports }) => key === `${namespace}/${service}` && ports.some(takesConnections),
  )
  const key = `connections ${plane} ${reach.key} at ${host} beside ${taken.join(' ')} of ${self?.key} for ${connectingClient(mesh, node).key}`
  return keep(mesh, key, () => build(mesh, node, key, openings(reach, namespace, host), taken))
}

function build(mesh: Mesh, node: MeshNode, key: string, all: Opening[], taken: string[]): OutboundConnections {
  const { plane, namespace, service } = node
  const clients = connectingClient(mesh, node)
  const { client } = clients
  const findings: MeshFinding[] = []
  const found = [...new Set(all.map(({ address }) => address))].sort().flatMap((address): Listener[] => {
    const here = ofOneProtocol(
      all.filter((one) => one.address === address),
      findings,
    )
    if (isTaken(address, taken)) {
      // That an application is where its own service is goes without saying.
      findings.push(...here.filter((one) => one.service.key !== `${namespace}/${service}`).flatMap(occupied))
      return []
    }
    const connections = shareAddress(mesh, address, here, clients, findings)
    return connections.length === 0 ? [] : [withConnectionLimits(mesh, outboundListener(address, connections), client)]
  })
  const { listeners, findings: tunnels } = throughTunnels(mesh, node, found)
  const routes = listeners.flatMap(({ connections }) => connections)
  const { findings: lacking } = connectionRefusals(plane, routes)
  const open = plane === 'envoy' ? listeners : []
  const names = clustersOfConnections(open.flatMap(({ connections }) => connections))
  const clusters = referencedClusters(mesh, names, client)
  return {
    key,
    listeners: open,
    clusters,
    outlook: outlookOf(clusters.map(({ order }) => order)),
    nouns: clusters.map(({ cluster }) => cluster),
    findings: [...findings, ...tunnels, ...clusters.flatMap((one) => one.findings), ...lacking],
  }
}

/** Where a Sidecar says, else at the addresses of the service, else where the workload listens for all else. */
function openings({ services, ports }: Reach, namespace: string, host: string | null): Opening[] {
  const written = ports.flatMap((one) => {
    const { address } = egressPlace(one)
    const mine = ({ port }: CalledPort) => port.number === one.number && port.protocol === one.carries
    return calledPorts(one.services, namespace)
      .filter(mine)
      .map((called) => ({ ...called, address }))
  })
  const isWritten = ({ service, port }: CalledPort) =>
    written.some((one) => one.service === service && one.port.number === port.number)
  if (host === null) return written
  const others = calledPorts(services, namespace)
    .filter((one) => !isWritten(one))
    .flatMap((called) => {
      const { addresses } = called.service
      const hosts = addresses.length === 0 ? [host] : addresses.map(bracketed)
      return hosts.map((one) => ({ ...called, address: `${one}:${called.port.number}` }))
    })
  return [...written, ...others]
}

function calledPorts(services: readonly ServiceDefinition[], namespace: string): CalledPort[] {
  return [...services]
    .sort((a, b) => age(a, namespace) - age(b, namespace))
    .flatMap((service) =>
      service.ports.filter(takesConnections).flatMap((port) => {
        const { number } = port
        return number === null ? [] : [{ service, port: { ...port, number } }]
      }),
    )
}

/** Of services that want an address, one of the own namespace comes first, then the oldest entry. */
function age({ namespace, entry }: ServiceDefinition, own: string): number {
  const created = entry?.createdRevision ?? Number.MAX_SAFE_INTEGER / 4
  return namespace === own ? created - Number.MAX_SAFE_INTEGER / 2 : created
}

/** TLS can be told apart by the names that it asks for; of other services an address has one. */
function ofOneProtocol(openings: Opening[], findings: MeshFinding[]): Opening[] {
  const [first] = openings
  if (first === undefined) return []
  const shares = ({ service, port }: Opening) =>
    service === first.service || (port.protocol === 'tls' && first.port.protocol === 'tls')
  findings.push(...openings.filter((one) => !shares(one)).flatMap((one) => shadowed(one, first)))
  return openings.filter(shares)
}

function shadowed({ address, service: { entry } }: Opening, { service }: Opening): MeshFinding[] {
  if (entry === null) return []
  const message = `connections to ${address} go to ${service.key} already`
  const hint =
    'give the ServiceEntry an address of its own (addresses: [127.0.0.2]), or let a Sidecar say who reaches it'
  return [{ severity: 'warning', code: 'WEFT_MESH_CONFLICT', origin: originOf(entry, 'spec.ports'), message, hint }]
}

function occupied({ address, service: { entry, key } }: Opening): MeshFinding[] {
  if (entry === null) return []
  const message = `${address} is in use on the workload's side, so ${key} is not reached through its data plane there`
  const hint = 'give the ServiceEntry an address of its own (addresses: [127.0.0.2])'
  return [{ severity: 'warning', code: 'WEFT_MESH_CONFLICT', origin: originOf(entry, 'spec.ports'), message, hint }]
}

function shareAddress(
  mesh: Mesh,
  address: string,
  openings: Opening[],
  clients: ConnectingClient,
  findings: MeshFinding[],
): ConnectionRoute[] {
  const routes = openings.flatMap((one): ClaimedRoute[] => {
    const found = portConnections(mesh, one, clients)
    findings.push(...found.findings)
    return found.routes
  })
  const { held, findings: conflicts } = settleNames(
    routes.map(({ claimant }) => claimant),
    address,
  )
  // What is registered is no resource that anybody could change.
  findings.push(...conflicts.filter(({ origin }) => origin.kind !== 'Service'))
  const places = placesOf(held)
  return routes.flatMap(({ route }, index) => {
    const names = (held[index] ?? []).map(({ name }) => name)
    const serverNames = [...new Set(names)].filter((name) => name !== anyName)
    const placed = places === null ? {} : { places: places[index] ?? [] }
    return names.length === 0 ? [] : [{ ...route, serverNames, ...placed }]
  })
}

function outboundListener(address: string, connections: ConnectionRoute[]): Listener {
  return {
    name: `outbound/${address}`,
    address,
    direction: 'outbound',
    routes: null,
    tls: null,
    connections,
    authorization: null,
    readsTokens: false,
    telemetry: null,
  }
}

function own({ outbound, inbound, app }: MeshNode): string[] {
  return [outbound, inbound, app].filter((one) => one !== null)
}

function isTaken(address: string, taken: readonly string[]): boolean {
  const [host, port] = [hostOf(address), address.slice(address.lastIndexOf(':') + 1)]
  return taken.some((one) => one.endsWith(`:${port}`) && [host, '0.0.0.0', '[::]'].includes(hostOf(one)))
}

const endpointsOnLoopback = new WeakMap<Mesh, string[]>()

/** Who is called on the loopback address stands beside the client, where its data plane cannot listen too. */
function localEndpoints(mesh: Mesh): string[] {
  const known = endpointsOnLoopback.get(mesh)
  if (known !== undefined) return known
  const found = [...mesh.services.values()]
    .filter(({ definition }) => definition.ports.some(takesConnections))
    .flatMap(({ definition, endpoints }) =>
      endpoints
        .filter(({ address }) => address.startsWith('127.') || address === '::1')
        .flatMap(({ address, ports }) =>
          definition.ports
            .filter((port) => takesConnections(port) && port.number === ports[port.name])
            .map(({ number }) => `${bracketed(address)}:${number}`),
        ),
    )
  const sorted = [...new Set(found)].sort()
  endpointsOnLoopback.set(mesh, sorted)
  return sorted
}

function hostOf(address: string): string {
  return address.slice(0, address.lastIndexOf(':'))
}

function bracketed(address: string): string {
  return address.includes(':') ? `[${address}]` : address
}

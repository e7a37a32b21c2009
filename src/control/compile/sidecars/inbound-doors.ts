/**
 * Where a workload takes what others send: at the listeners that its Sidecar names, else at the one of its bootstrap.
 */
import type { SidecarIngress, SidecarSpec } from '../../resources/sidecar.js'
import type { ConnectionPool } from '../../resources/traffic-policy.js'
import { plainCluster } from '../clusters/plain-cluster.js'
import { connectionLimits, poolFields } from '../clusters/pool.js'
import { originOf } from '../finding.js'
import type { Mesh } from '../mesh/mesh.js'
import type { MeshNode } from '../mesh/node.js'
import type { Parsed } from '../mesh/parsed.js'
import { chosenSidecar } from '../mesh/reach.js'
import { takesConnections } from '../mesh/services.js'
import type { Cluster, ConnectionLimits, Origin } from '../nouns.js'

/** The name of the listener, of its table and of its filters. */
const inboundName = 'inbound'
/** Where the application is. */
const ownCluster = 'self'

export interface InboundDoor {
  name: string
  address: string
  carries: 'requests' | 'connections'
  /** `IP:PORT` of the application. */
  app: string
  cluster: Cluster
  /** Of connections that are forwarded whole. */
  limits: ConnectionLimits
  /** The certificate that it shows to clients outside of the mesh; null: that of the workload, as PeerAuthentication says. */
  shown: { secret: string; origin: Origin } | null
}

export interface InboundDoors {
  doors: InboundDoor[]
  /** What of a Sidecar has a say in them. */
  origins: Origin[]
}

export function inboundDoors(mesh: Mesh, node: MeshNode): InboundDoors {
  const chosen = chosenSidecar(mesh, node)
  if (chosen !== undefined && chosen.spec.ingress.length > 0) {
    const { resource, spec } = chosen
    const doors = spec.ingress.map((one, index) => ingressDoor(node, chosen, one, index))
    return { doors, origins: [originOf(resource, 'spec.ingress')] }
  }
  const { inbound, app } = node
  const pool = chosen?.spec.inboundConnectionPool
  const origins =
    chosen === undefined || pool === undefined ? [] : [originOf(chosen.resource, 'spec.inboundConnectionPool')]
  if (inbound === null || app === null) return { doors: [], origins }
  const carries = ownServiceCarries(mesh, node, portOf(inbound))
  const cluster = appCluster(ownCluster, carries === 'requests' ? 'downstream' : 'tcp', pool, origins)
  const door = {
    name: inboundName,
    address: inbound,
    carries,
    app,
    cluster,
    limits: connectionLimits(pool),
    shown: null,
  }
  return { doors: [door], origins }
}

function ingressDoor(
  { inbound }: MeshNode,
  { resource, spec }: Parsed<SidecarSpec>,
  { port, bind, defaultEndpoint, tls, connectionPool = spec.inboundConnectionPool }: SidecarIngress,
  index: number,
): InboundDoor {
  const everywhere = inbound === null ? '0.0.0.0' : inbound.slice(0, inbound.lastIndexOf(':'))
  const address = `${bind === undefined ? everywhere : bind.includes(':') ? `[${bind}]` : bind}:${port.number}`
  const origin = originOf(resource, `spec.ingress[${index}]`)
  const protocol = spoken[port.protocol]
  return {
    name: address === inbound ? inboundName : `${inboundName}/${address}`,
    ...{ address, carries: protocol === 'tcp' ? 'connections' : 'requests', app: defaultEndpoint },
    cluster: appCluster(`${ownCluster}/${port.number}`, protocol, connectionPool, [origin]),
    limits: connectionLimits(connectionPool),
    shown: tls === undefined ? null : { secret: `${resource.metadata.namespace}/${tls.credentialName}`, origin },
  }
}

/** To the application; HTTP is what the client spoke, of whatever version, where TLS has not settled another for both. */
const spoken = {
  HTTP: 'downstream',
  HTTPS: 'http1',
  HTTP2: 'http2',
  GRPC: 'http2',
  TCP: 'tcp',
  TLS: 'tcp',
} as const satisfies Record<SidecarIngress['port']['protocol'], Cluster['protocol']>

/** As clients call the service: a port of its number, or what all of its ports carry. */
function ownServiceCarries(mesh: Mesh, { namespace, service }: MeshNode, port: number): InboundDoor['carries'] {
  const ports = mesh.services.get(`${namespace}/${service}`)?.definition.ports ?? []
  const same = ports.filter(({ number }) => number === port)
  const meant = same.length > 0 ? same : ports
  return meant.length > 0 && meant.every(takesConnections) ? 'connections' : 'requests'
}

function appCluster(
  name: string,
  protocol: Cluster['protocol'],
  pool: ConnectionPool | undefined,
  origins: Origin[],
): Cluster {
  const plain = plainCluster(name, protocol)
  return pool === undefined ? plain : { ...plain, ...poolFields(pool), origins }
}

export function portOf(address: string): number {
  return Number(address.slice(address.lastIndexOf(':') + 1))
}

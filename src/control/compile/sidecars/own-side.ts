/** The listeners of a workload that are its own: where its application asks others, and where others ask it. */
import { lackedPolicies } from '../capabilities.js'
import type { MeshFinding } from '../finding.js'
import { forConnections } from '../gateways/connection-authorization.js'
import type { Authentication, ListenerTelemetry } from '../listener-nouns.js'
import { keep, type Mesh } from '../mesh/mesh.js'
import { type MeshNode, selectableLabels } from '../mesh/node.js'
import type { Reach } from '../mesh/reach.js'
import {
  type Authorization,
  type Cluster,
  type ClusterEndpoints,
  type ConnectionTls,
  type Listener,
  type Origin,
  outboundTable,
  type RouteTable,
} from '../nouns.js'
import { authorizationFor } from '../policies/authorization.js'
import { type ListenerPolicies, listenerPolicies } from '../policies/listener-policies.js'
import { type PeerModeFound, peerMode } from '../policies/peer-authentication.js'
import { defaultRoute } from '../routes/service-routes.js'
import { egressPlace } from './egress-tables.js'
import { type InboundDoor, inboundDoors, portOf } from './inbound-doors.js'

export interface OwnSide {
  /** What needs the workload's own certificate; null: nothing does. */
  identity: { origin: Origin | null } | null
  listeners: Listener[]
  authentication: Authentication | null
  tables: RouteTable[]
  clusters: Cluster[]
  endpoints: ClusterEndpoints[]
  findings: MeshFinding[]
}

/** The same for all workloads that listen alike and have no policies of their own. */
export function ownSide(mesh: Mesh, node: MeshNode, reach: Reach, identities: boolean): OwnSide {
  const policies = keep(mesh, `policies of ${JSON.stringify(node)}`, () => ownPolicies(mesh, node))
  const asked = node.plane === 'grpc' ? [] : askedAt(reach, node)
  const who = policies.isPlain ? { asked, doors: policies.doors } : node
  return keep(mesh, `own side of ${JSON.stringify(who)} ${identities}`, () => build(asked, policies, identities))
}

/** A door, and whom it takes at its port. */
type GuardedDoor = InboundDoor & { peer: PeerModeFound }

interface OwnPolicies extends ListenerPolicies {
  doors: GuardedDoor[]
  authorization: Authorization | null
  /** Nothing but the doors says anything. */
  isPlain: boolean
}

function ownPolicies(mesh: Mesh, node: MeshNode): OwnPolicies {
  const { doors, origins } = inboundDoors(mesh, node)
  const serves = doors.length > 0
  const policies = listenerPolicies(mesh, node)
  const authorization = serves ? authorizationFor(mesh, node) : null
  const { authentication, telemetry, clusters } = policies
  const findings = [...policies.findings, ...lackedPolicies(node.plane, [{ what: 'listeners of their own', origins }])]
  const said = [authorization, authentication, telemetry.CLIENT, telemetry.SERVER, ...clusters, ...findings]
  const isPlain = said.every((one) => one === null)
  const labels = selectableLabels(node)
  const guarded = doors.map((door) => ({
    ...door,
    peer: peerMode(mesh, node.namespace, labels, portOf(door.address)),
  }))
  return { ...policies, doors: node.plane === 'grpc' ? [] : guarded, authorization, findings, isPlain }
}

/** Where the application makes requests: at the address of its bootstrap, and at ports that its Sidecar names. */
function askedAt({ ports }: Reach, { outbound }: MeshNode): ReturnType<typeof egressPlace>[] {
  const whole = outbound === null ? [] : [{ name: outboundTable, address: outbound }]
  return [...whole, ...ports.flatMap((port) => (port.carries === 'requests' ? [egressPlace(port)] : []))]
}

function build(asked: ReturnType<typeof askedAt>, policies: OwnPolicies, identities: boolean): OwnSide {
  const { doors, authorization, authentication, telemetry, clusters, findings } = policies
  const before = asked.map(({ name, address }) => outboundListener(name, address, telemetry.CLIENT))
  if (doors.length === 0)
    return { identity: null, listeners: before, authentication: null, tables: [], clusters, endpoints: [], findings }
  const connecting = authorization === null ? null : forConnections(authorization, 'that this workload takes')
  const listeners = doors.map(
    (door): Listener => ({
      ...{ name: door.name, address: door.address, direction: 'inbound' },
      ...(door.carries === 'requests'
        ? requestDoor(door, identities, telemetry.SERVER)
        : connectionDoor(door, identities, connecting?.authorization ?? null)),
    }),
  )
  const mutual = doors.find((door) => !isPlain(door, identities) && !showsOwn(door))
  const forwards = doors.some(({ carries }) => carries === 'connections')
  return {
    identity: mutual === undefined ? null : { origin: mutual.peer.origin },
    listeners: [...before, ...listeners],
    authentication,
    tables: doors.filter(({ carries }) => carries === 'requests').map((door) => doorTable(door, authorization)),
    clusters: [...doors.map(({ cluster }) => cluster), ...clusters],
    endpoints: doors.map(appEndpoint),
    findings: [
      ...findings,
      ...(forwards && connecting !== null ? connecting.findings : []),
      ...doors.flatMap(overruled),
    ],
  }
}

type Served = Omit<Listener, 'name' | 'address' | 'direction'>

/** Without certificates PERMISSIVE is the same as DISABLE. */
function isPlain({ peer: { mode } }: GuardedDoor, identities: boolean): boolean {
  return mode === 'disabled' || (mode === 'permissive' && !identities)
}

/** Never more open than a PeerAuthentication has it. */
function showsOwn({ shown, peer }: GuardedDoor): boolean {
  return shown !== null && peer.mode !== 'strict'
}

function requestDoor(door: GuardedDoor, identities: boolean, telemetry: ListenerTelemetry | null): Served {
  const { name, shown, peer } = door
  const own: Listener['tls'] =
    peer.mode === 'disabled' || isPlain(door, identities) ? null : { mode: peer.mode, certificates: [] }
  return {
    routes: name,
    tls: shown !== null && showsOwn(door) ? { mode: 'none', certificates: [{ ...shown, serverNames: [] }] } : own,
    readsTokens: true,
    telemetry,
    connections: [],
    authorization: null,
  }
}

function connectionDoor(door: GuardedDoor, identities: boolean, authorization: Authorization | null): Served {
  const { name, shown, cluster, limits, peer } = door
  const own: ConnectionTls = isPlain(door, identities)
    ? { mode: 'none' }
    : { mode: 'mutual', others: peer.mode === 'permissive' }
  const tls: ConnectionTls = shown !== null && showsOwn(door) ? { mode: 'terminate', secret: shown.secret } : own
  const forward = [{ cluster: cluster.name, weight: 1 }]
  return {
    routes: null,
    tls: null,
    readsTokens: false,
    telemetry: null,
    connections: [{ name, serverNames: [], tls, forward, limits, tunnel: null, origin: shown?.origin ?? null }],
    authorization,
  }
}

function overruled(door: GuardedDoor): MeshFinding[] {
  const { shown, peer } = door
  if (shown === null || showsOwn(door)) return []
  const by = peer.origin === null ? '' : ` ${peer.origin.namespace}/${peer.origin.name}`
  const message = `PeerAuthentication${by} takes mutual TLS of the mesh alone, so the certificate is not shown`
  const hint = 'let a PeerAuthentication that selects the workload say PERMISSIVE or DISABLE'
  return [{ severity: 'error', code: 'WEFT_MESH_CONFLICT', origin: shown.origin, message, hint }]
}

function doorTable({ name, cluster }: InboundDoor, authorization: Authorization | null): RouteTable {
  const route = { ...defaultRoute(cluster.name), retry: null }
  return { name, hosts: [{ name: 'app', hosts: ['*'], routes: [route] }], authorization }
}

function appEndpoint({ app, cluster }: InboundDoor): ClusterEndpoints {
  const endpoint = {
    address: app.slice(0, app.lastIndexOf(':')).replace(/^\[|\]$/g, ''),
    port: portOf(app),
    ...{ weight: 1, healthy: true, draining: false },
  }
  return {
    cluster: cluster.name,
    localities: [{ region: '', zone: '', priority: 0, weight: null, endpoints: [endpoint] }],
  }
}

/** `table`: its name, and the listener's. */
function outboundListener(table: string, address: string, telemetry: ListenerTelemetry | null): Listener {
  return {
    name: table,
    address,
    direction: 'outbound',
    routes: table,
    tls: null,
    readsTokens: false,
    telemetry,
    connections: [],
    authorization: null,
  }
}

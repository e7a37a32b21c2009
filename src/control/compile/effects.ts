/** Which resources have a hand in what one data plane does, in which part of it, and what keeps them from it. */

import { originOf } from './finding.js'
import { gatewaysOf } from './gateways/gateway-doors.js'
import { istioGatewaysOf } from './gateways/istio-doors.js'
import type { Mesh } from './mesh/mesh.js'
import { inboundPort, type MeshNode, selectableLabels } from './mesh/node.js'
import { chosenSidecar } from './mesh/reach.js'
import type { Listener, Origin, RouteTable } from './nouns.js'
import { peerMode } from './policies/peer-authentication.js'
import { compileView, type MeshView } from './view.js'

/** `client`: in what the workload asks of others; `server`: in what others ask of it. */
export type Side = 'client' | 'server'

export interface Effect {
  kind: string
  namespace: string
  name: string
  /** Empty where it reaches the data plane and is not in force there. */
  parts: { side: Side; part: string }[]
  /** Why it, or a part of it, is not in force there; conflicts among them. */
  notes: string[]
}

/** Sorted by kind, namespace and name. `identities`: whether there are certificates. */
export function effectsOn(mesh: Mesh, node: MeshNode, identities: boolean): Effect[] {
  const view = compileView(mesh, node, identities)
  const effects = new Map<string, Effect>()
  const effectOf = ({ kind, namespace, name }: Origin) => {
    const key = `${kind} ${namespace}/${name}`
    const known = effects.get(key) ?? { kind, namespace, name, parts: [], notes: [] }
    effects.set(key, known)
    return known
  }
  for (const { origin, side, part } of partsOf(mesh, node, view)) {
    const { parts } = effectOf(origin)
    if (!parts.some((known) => known.side === side && known.part === part)) parts.push({ side, part })
  }
  for (const { origin, message, hint } of view.findings) {
    const { notes } = effectOf(origin)
    const note = hint === null ? message : `${message}; ${hint}`
    if (!notes.includes(note)) notes.push(note)
  }
  return [...effects].sort(([one], [other]) => (one < other ? -1 : 1)).map(([, effect]) => effect)
}

interface Part {
  origin: Origin
  side: Side
  part: string
}

function partsOf(mesh: Mesh, node: MeshNode, view: MeshView): Part[] {
  return [
    ...doorParts(mesh, node),
    ...(view.authentication?.origins ?? []).map((origin) => server(origin, 'tokens')),
    ...view.listeners.flatMap(listenerParts),
    ...view.tables.flatMap(tableParts),
    ...view.listeners.flatMap(connectionParts),
    ...view.clusters.flat().flatMap(({ name, origins }) => origins.map((origin) => client(origin, `cluster ${name}`))),
  ]
}

/** What no noun tells: which services it may reach, whether its door wants certificates, which doors a gateway has. */
function doorParts(mesh: Mesh, node: MeshNode): Part[] {
  if (node.role === 'gateway') {
    const doors = [...gatewaysOf(mesh, node), ...istioGatewaysOf(mesh, node)]
    return doors.map(({ resource }) => server(originOf(resource, 'spec'), 'listeners'))
  }
  const narrowing = chosenSidecar(mesh, node)
  const { mode, origin } = peerMode(mesh, node.namespace, selectableLabels(node), inboundPort(node))
  return [
    ...(narrowing === undefined ? [] : [client(originOf(narrowing.resource, 'spec'), 'what it may reach')]),
    ...(origin === null || node.inbound === null ? [] : [server(origin, `mutual TLS ${mode}`)]),
  ]
}

function listenerParts({ direction, telemetry }: Listener): Part[] {
  const on = direction === 'outbound' ? client : server
  return (telemetry?.origins ?? []).map((origin) =>
    on(origin, origin.path === 'spec.tracing' ? 'tracing' : 'access log'),
  )
}

function tableParts({ name, hosts, authorization }: RouteTable): Part[] {
  const on = name === 'outbound' ? client : server
  const routes = hosts.flatMap((host) =>
    host.routes.flatMap(({ origin }) =>
      origin === null ? [] : [on(origin, `routes of ${host.hosts[0] ?? host.name}`)],
    ),
  )
  return [...routes, ...(authorization?.origins ?? []).map((origin) => on(origin, 'authorization'))]
}

function connectionParts({ address, connections, authorization }: Listener): Part[] {
  return [
    ...connections.map(({ origin }) => server(origin, `connections of ${address}`)),
    ...(authorization?.origins ?? []).map((origin) => server(origin, 'authorization')),
  ]
}

const client = (origin: Origin, part: string): Part => ({ origin, side: 'client', part })
const server = (origin: Origin, part: string): Part => ({ origin, side: 'server', part })

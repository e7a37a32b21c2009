/** Which resources have a hand in what one data plane does, in which part of it, and what keeps them from it. */

import { originOf } from './finding.js'
import { gatewaysOf } from './gateways/gateway-doors.js'
import { istioGatewaysOf } from './gateways/istio-doors.js'
import type { Mesh } from './mesh/mesh.js'
import { type MeshNode, selectableLabels } from './mesh/node.js'
import { chosenSidecar } from './mesh/reach.js'
import { type Cluster, type Listener, type Origin, outboundTable, type RouteTable } from './nouns.js'
import { peerMode } from './policies/peer-authentication.js'
import { inboundDoors, portOf } from './sidecars/inbound-doors.js'
import { compileView, type MeshView } from './view.js'

/** `client`: in what the workload asks of others; `server`: in what others ask of it. */
export type Side = 'client' | 'server'

export interface Effect {
  kind: string
  namespace: string
  name: string
  /** Empty where it reaches the data plane and is not in force there. */
  parts: readonly { side: Side; part: string }[]
  /** Why it, or a part of it, is not in force there; conflicts among them. */
  notes: readonly string[]
}

/** By resource. */
type Effects = ReadonlyMap<string, Effect>

/** Sorted by kind, namespace and name. `identities`: whether there are certificates. */
export function effectsOn(mesh: Mesh, node: MeshNode, identities: boolean): readonly Effect[] {
  const view = compileView(mesh, node, identities)
  const { listeners, authentication, tables, clusters, findings } = view
  const first = [
    ...doorParts(mesh, node),
    ...(authentication?.origins ?? []).map((origin) => server(origin, 'tokens')),
    ...listeners.flatMap(listenerParts),
  ]
  const all = [
    gather(first),
    ...tables.map((table) => kept(table, () => gather(tableParts(table)))),
    gather(listeners.flatMap(connectionParts)),
    ...clusters.map((list) => kept(list, () => gather(list.flatMap(clusterParts)))),
    notesOf(findings),
  ].filter(({ size }) => size > 0)
  const effects = new Map<string, Effect>()
  for (const some of all) {
    for (const [key, effect] of some) {
      const known = effects.get(key)
      effects.set(key, known === undefined ? effect : together(known, effect))
    }
  }
  return [...effects.keys()].sort().flatMap((key) => effects.get(key) ?? [])
}

const known = new WeakMap<object, Effects>()

/** Once for all data planes that have the same nouns. */
function kept(nouns: object, make: () => Effects): Effects {
  const effects = known.get(nouns) ?? make()
  known.set(nouns, effects)
  return effects
}

function gather(parts: readonly Part[]): Effects {
  const effects = new Map<string, Effect>()
  for (const { origin, side, part } of parts) add(effects, origin, { parts: [{ side, part }], notes: [] })
  return effects
}

function notesOf(findings: MeshView['findings']): Effects {
  const effects = new Map<string, Effect>()
  for (const { origin, message, hint } of findings) {
    add(effects, origin, { parts: [], notes: [hint === null ? message : `${message}; ${hint}`] })
  }
  return effects
}

function add(effects: Map<string, Effect>, origin: Origin, what: Pick<Effect, 'parts' | 'notes'>): void {
  const { kind, namespace, name } = origin
  const key = `${kind} ${namespace}/${name}`
  const before = effects.get(key)
  const effect = { kind, namespace, name, ...what }
  effects.set(key, before === undefined ? effect : together(before, effect))
}

function together(one: Effect, other: Effect): Effect {
  const parts = other.parts.filter(({ side, part }) => {
    return !one.parts.some((known) => known.side === side && known.part === part)
  })
  const notes = other.notes.filter((note) => !one.notes.includes(note))
  return { ...one, parts: [...one.parts, ...parts], notes: [...one.notes, ...notes] }
}

interface Part {
  origin: Origin
  side: Side
  part: string
}

/** What no noun tells: which services it may reach, whether its door wants certificates, which doors a gateway has. */
function doorParts(mesh: Mesh, node: MeshNode): Part[] {
  if (node.role === 'gateway') {
    const doors = [...gatewaysOf(mesh, node), ...istioGatewaysOf(mesh, node)]
    return doors.map(({ resource }) => server(originOf(resource, 'spec'), 'listeners'))
  }
  const narrowing = chosenSidecar(mesh, node)
  const { doors, origins } = inboundDoors(mesh, node)
  const labels = selectableLabels(node)
  const guards = doors.map(({ address }) => peerMode(mesh, node.namespace, labels, portOf(address)))
  return [
    ...(narrowing === undefined ? [] : [client(originOf(narrowing.resource, 'spec'), 'what it may reach')]),
    ...origins.map((written) => server(written, 'listeners')),
    ...guards.flatMap(({ mode, origin }) => (origin === null ? [] : [server(origin, `mutual TLS ${mode}`)])),
  ]
}

function listenerParts({ direction, telemetry }: Listener): Part[] {
  const on = direction === 'outbound' ? client : server
  return (telemetry?.origins ?? []).map((origin) =>
    on(origin, origin.path === 'spec.tracing' ? 'tracing' : 'access log'),
  )
}

function tableParts({ name, hosts, authorization }: RouteTable): Part[] {
  const on = name === outboundTable || name.startsWith(`${outboundTable}/`) ? client : server
  const routes = hosts.flatMap((host) =>
    host.routes.flatMap(({ origin, through }) =>
      [origin, through ?? null].flatMap((one) =>
        one === null ? [] : [on(one, `routes of ${host.hosts[0] ?? host.name}`)],
      ),
    ),
  )
  return [...routes, ...(authorization?.origins ?? []).map((origin) => on(origin, 'authorization'))]
}

function clusterParts({ name, origins }: Cluster): Part[] {
  return origins.map((origin) => client(origin, `cluster ${name}`))
}

function connectionParts({ address, direction, connections, authorization }: Listener): Part[] {
  const on = direction === 'outbound' ? client : server
  return [
    ...connections.flatMap(({ origin }) => (origin === null ? [] : [on(origin, `connections of ${address}`)])),
    ...(authorization?.origins ?? []).map((origin) => server(origin, 'authorization')),
  ]
}

const client = (origin: Origin, part: string): Part => ({ origin, side: 'client', part })
const server = (origin: Origin, part: string): Part => ({ origin, side: 'server', part })

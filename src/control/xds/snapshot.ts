/**
 * Everything that one data plane may be sent at one revision, by type and name.
 *
 * Invariants: immutable; it is put together of parts, and a part that several data planes have in common is one object,
 * so that what changed between two revisions is worked out once for all of them.
 */
import type { Certificate, CertificateSource, TrustBundle } from '../certificates/certificate-source.js'
import type { MeshFinding } from '../compile/finding.js'
import type { Mesh } from '../compile/mesh/mesh.js'
import type { MeshNode } from '../compile/mesh/node.js'
import { type HashOn, outboundTable } from '../compile/nouns.js'
import { compileView, type MeshView } from '../compile/view.js'
import {
  askedHostResource,
  certificateResource,
  clusterResource,
  clusterSecrets,
  endpointsResource,
  filterResources,
  grpcListenerResource,
  hostResource,
  identitySecret,
  listenerResource,
  onDemandTableResource,
  type ResourceType,
  rootsResource,
  tableResource,
  type XdsResource,
} from '../compile/xds/resources.js'
import { namedSecrets } from './named-secrets.js'

/** Resources by name, never changed: several snapshots may have the same one. */
export type Part = ReadonlyMap<string, XdsResource>

export interface Snapshot {
  revision: number
  node: MeshNode
  parts: Record<ResourceType, Part[]>
  /** Resources that are made when they are asked for: listeners by what a gRPC client dials, hosts on demand. */
  made: Partial<Record<ResourceType, (name: string) => XdsResource | undefined>>
  findings: MeshFinding[]
}

export function find({ parts, made }: Snapshot, type: ResourceType, name: string): XdsResource | undefined {
  for (const part of parts[type]) {
    const found = part.get(name)
    if (found !== undefined) return found
  }
  return made[type]?.(name)
}

export function* namesOf({ parts }: Snapshot, type: ResourceType): Generator<string> {
  for (const part of parts[type]) yield* part.keys()
}

/** Names whose resource came, went or changed from one snapshot of a data plane to the next. */
export function changedNames(from: Snapshot | null, to: Snapshot, type: ResourceType): Set<string> {
  if (from === null) return new Set(namesOf(to, type))
  const changed = new Set<string>()
  const length = Math.max(from.parts[type].length, to.parts[type].length)
  for (let index = 0; index < length; index += 1) {
    for (const name of changedInPart(from.parts[type][index] ?? empty, to.parts[type][index] ?? empty))
      changed.add(name)
  }
  return changed
}

const empty: Part = new Map()
const known = new WeakMap<Part, WeakMap<Part, readonly string[]>>()

function changedInPart(from: Part, to: Part): readonly string[] {
  if (from === to) return []
  const found = known.get(to)?.get(from)
  if (found !== undefined) return found
  const gone = [...from.keys()].filter((name) => !to.has(name))
  const changed = [...to].filter(([name, { version }]) => from.get(name)?.version !== version).map(([name]) => name)
  const names = [...gone, ...changed]
  const fromParts = known.get(to) ?? new WeakMap<Part, readonly string[]>()
  known.set(to, fromParts.set(from, names))
  return names
}

export function buildSnapshot(mesh: Mesh, node: MeshNode, certificates: CertificateSource): Snapshot {
  const roots = certificates.roots()
  const view = compileView(mesh, node, roots !== null)
  const { plane, role } = node
  // Made when it is needed, and not before.
  const needed = view.identity !== null && plane !== 'grpc'
  const own = needed ? certificates.identity({ namespace: node.namespace, account: node.account }) : null
  const { trustDomain } = mesh.options
  const named = namedSecrets(view, certificates)
  let hashes: Map<string, HashOn | null> | null = null
  const hashOf = (name: string) => {
    hashes ??= new Map(view.clusters.flat().map((cluster) => [cluster.name, cluster.loadBalancer.hashOn]))
    return hashes.get(name) ?? null
  }
  const asked = node.hosts === 'on-demand' ? view.tables.find(({ name }) => name === outboundTable) : undefined
  const parts = {
    clusters: view.clusters.map((list) => partOf(list, plane, (cluster) => clusterResource(cluster, plane))),
    endpoints: view.endpoints.map((list) => partOf(list, '', endpointsResource)),
    filters: [partOf(view.listeners, 'filters', (listener) => filterResources(listener, view.authentication))],
    listeners: [
      partOf(view.listeners, `${role} ${node.hosts}`, (listener) =>
        listenerResource(listener, { role, trustDomain, hosts: node.hosts }),
      ),
    ],
    routes:
      plane === 'grpc'
        ? view.tables.map(({ hosts }) => partOf(hosts, plane, (host) => hostResource(host, plane, hashOf)))
        : view.tables.map((table) =>
            kept(table, `${plane} ${table === asked}`, () =>
              byName([table === asked ? onDemandTableResource(table) : tableResource(table, plane, hashOf)]),
            ),
          ),
    virtualHosts: [],
    secrets: [
      byName([...(view.identity === null ? [] : identity(own, roots)), ...named.resources]),
      ...(plane === 'grpc' ? [] : view.clusters.map((list) => partOf(list, 'secrets', clusterSecrets))),
    ],
  }
  // A gRPC client reads its certificates from files; what it lacks it says itself.
  const lacking = [...missing(view, own, roots), ...named.findings]
  const findings = plane === 'grpc' ? view.findings : [...view.findings, ...lacking]
  const made = {
    ...(plane === 'grpc' && { listeners: dialledBy(view) }),
    ...(asked !== undefined && { virtualHosts: (name: string) => askedHostResource(asked, name, plane, hashOf) }),
  }
  return { revision: mesh.revision, node, parts, made, findings }
}

/** What has to be prepared before a snapshot can hold the data plane's own certificate; null: nothing has. */
export function prepareIdentity(mesh: Mesh, node: MeshNode, certificates: CertificateSource): Promise<void> | null {
  if (certificates.prepare === undefined || node.plane === 'grpc') return null
  const { identity: needed } = compileView(mesh, node, certificates.roots() !== null)
  return needed === null ? null : certificates.prepare({ namespace: node.namespace, account: node.account })
}

const partsOfNouns = new WeakMap<object, Map<string, Part>>()

function partOf<Noun>(
  list: readonly Noun[],
  variant: string,
  resources: (noun: Noun) => XdsResource | XdsResource[],
): Part {
  return kept(list, variant, () => byName(list.flatMap(resources)))
}

/** One part for all who have the same nouns. */
function kept(nouns: object, variant: string, make: () => Part): Part {
  const parts = partsOfNouns.get(nouns) ?? new Map<string, Part>()
  if (parts.size === 0) partsOfNouns.set(nouns, parts)
  const part = parts.get(variant) ?? make()
  parts.set(variant, part)
  return part
}

function byName(resources: XdsResource[]): Part {
  return new Map(resources.map((resource) => [resource.name, resource]))
}

/** `reviews`, `reviews:9080`, `reviews.default:9080`: whatever the port, it is the service's. */
function dialledBy({ tables }: MeshView): (name: string) => XdsResource | undefined {
  const routesOf = new Map(
    tables.flatMap(({ hosts }) => hosts.flatMap((host) => host.hosts.map((name) => [name, host.name] as const))),
  )
  const made = new Map<string, XdsResource>()
  return (name) => {
    const [anyPort, noPort] = [name.replace(/:\d+$/, ':*'), name.replace(/:\d+$/, '')]
    const routes = routesOf.get(name) ?? routesOf.get(anyPort) ?? routesOf.get(noPort)
    if (routes === undefined) return undefined
    const resource = made.get(name) ?? grpcListenerResource(name, routes)
    made.set(name, resource)
    return resource
  }
}

function identity(own: Certificate | null, roots: TrustBundle | null): XdsResource[] {
  return [
    ...(own === null ? [] : [certificateResource(identitySecret, own)]),
    ...(roots === null ? [] : [rootsResource(roots)]),
  ]
}

/** A listener or cluster without its certificate serves nobody: that is safe, and has to be said. */
function missing(
  { identity: needed, node }: MeshView,
  own: Certificate | null,
  roots: TrustBundle | null,
): MeshFinding[] {
  if (needed === null || needed.origin === null || (own !== null && roots !== null)) return []
  const what = own === null ? `certificate for the account ${node.namespace}/${node.account}` : 'set of trusted roots'
  const message = `mutual TLS needs what the control plane does not have: a ${what}`
  const hint = 'give the control plane certificates, or mode DISABLE'
  return [{ severity: 'error', code: 'WEFT_MESH_REFERENCE', origin: needed.origin, message, hint, stops: true }]
}

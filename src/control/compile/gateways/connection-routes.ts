/** Rules that forward connections as routes of connections, each with the server names that it would take of a listener. */

import type { ConnectionRules } from '../../resources/connection-references.js'
import type { MeshResource } from '../../state/mesh-source.js'
import { referencedClusters } from '../clusters/cluster-references.js'
import { type Client, clientsOf } from '../clusters/destination-rules.js'
import { type MeshFinding, originOf } from '../finding.js'
import { carrying, type Mesh } from '../mesh/mesh.js'
import type { Parsed } from '../mesh/parsed.js'
import { resolveReference, type ServiceReference } from '../mesh/references.js'
import type { ServiceDefinition } from '../mesh/services.js'
import type { ConnectionRoute, ConnectionTls, Origin } from '../nouns.js'
import type { NameClaim } from './server-names.js'

export interface ConnectionCandidate {
  resource: MeshResource
  route: Omit<ConnectionRoute, 'serverNames' | 'places'> & { origin: Origin }
  claims: NameClaim[]
  findings: MeshFinding[]
}

/** What a rule says, whichever kind of resource it stands in. */
export interface ConnectionRule {
  /** Distinguishes it from other rules of its resource; empty: there are none. */
  suffix: string
  path: string
  tls: ConnectionTls
  claims: NameClaim[]
  destinations: { reference: ServiceReference; weight: number; path: string }[]
  /** Inside the mesh: the clients, whose data planes add mutual TLS around what passes through. */
  clients?: Client
}

export function connectionCandidate(mesh: Mesh, resource: MeshResource, rule: ConnectionRule): ConnectionCandidate {
  const { tls, claims, path, suffix, clients } = rule
  const passing = tls.mode === 'passthrough'
  const resolved = rule.destinations.map(({ weight, reference, path: written }) => {
    const { cluster, findings } = resolveReference(mesh, resource, written, reference)
    if (clients !== undefined) return { weight, cluster: connectionCluster(mesh, cluster, tls, clients), findings }
    const unmet = passing ? withoutIdentity(mesh, cluster, originOf(resource, written)) : []
    return { weight, cluster: carrying(cluster, passing ? 'tls' : 'tcp'), findings: [...findings, ...unmet] }
  })
  const { kind, metadata } = resource
  // What passes through goes to other clusters than what does not, so it has another name.
  const name = `${kind}/${metadata.namespace}/${metadata.name}${suffix}${passing ? '/passthrough' : ''}`
  return {
    resource,
    route: {
      ...{ name, tls, forward: resolved.map(({ cluster, weight }) => ({ cluster, weight })) },
      limits: { idleTimeoutMs: null, maxAgeMs: null },
      tunnel: null,
      origin: originOf(resource, path),
    },
    claims,
    findings: resolved.flatMap(({ findings }) => findings),
  }
}

/** The one rule of a TLSRoute or TCPRoute. */
export function routeCandidate(
  mesh: Mesh,
  { resource, spec }: Parsed<{ rules: ConnectionRules }>,
  place: Pick<ConnectionRule, 'tls' | 'claims' | 'clients'>,
): ConnectionCandidate {
  const destinations = spec.rules.flatMap(({ backendRefs }, rule) =>
    backendRefs.map(({ name: host, namespace = resource.metadata.namespace, port, weight }, index) => ({
      reference: { host, namespace, port, subset: undefined },
      weight,
      path: `spec.rules[${rule}].backendRefs[${index}]`,
    })),
  )
  return connectionCandidate(mesh, resource, { suffix: '', path: 'spec.rules[0]', ...place, destinations })
}

/** Where a client's data plane sends connections: TLS of the application goes as it is, or inside of the mesh's. */
export function connectionCluster(mesh: Mesh, name: string, { mode }: ConnectionTls, clients: Client): string {
  return carrying(name, mode === 'passthrough' && mutualService(mesh, name, clients) === null ? 'tls' : 'tcp')
}

/** The service behind a cluster that is called with mutual TLS itself, not through a tunnel. */
function mutualService(mesh: Mesh, name: string, clients: Client): ServiceDefinition | null {
  const [compiled] = referencedClusters(mesh, [name], clients)
  return compiled?.cluster.tls?.mode === 'mutual' && compiled.tunnel === null ? compiled.service : null
}

/** A client outside has no certificate of the mesh, and what passes through is the client's own TLS. */
function withoutIdentity(mesh: Mesh, name: string, origin: Origin): MeshFinding[] {
  const service = mutualService(mesh, name, clientsOf(origin.namespace))
  if (service === null) return []
  const message = `${service.key} is called with mutual TLS of the mesh, which a connection that passes through does not bring`
  const hint = 'let the gateway end TLS (tls.mode Terminate), or let the service take others (PeerAuthentication)'
  return [{ severity: 'warning', code: 'WEFT_MESH_CONFLICT', origin, message, hint }]
}

/** Rules that forward connections as routes of connections, each with the server names that it would take of a listener. */
import type { MeshResource } from '../../mesh-source.js'
import type { ConnectionRules } from '../../resources/connection-references.js'
import { referencedClusters } from '../clusters/cluster-references.js'
import { clientsOf } from '../clusters/destination-rules.js'
import { type MeshFinding, originOf } from '../finding.js'
import { carrying, type Mesh } from '../mesh/mesh.js'
import type { Parsed } from '../mesh/parsed.js'
import { resolveReference, type ServiceReference } from '../mesh/references.js'
import type { ConnectionRoute, ConnectionTls, Origin } from '../nouns.js'
import type { NameClaim } from './server-names.js'

export interface ConnectionCandidate {
  resource: MeshResource
  route: Omit<ConnectionRoute, 'serverNames' | 'places'>
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
}

export function connectionCandidate(mesh: Mesh, resource: MeshResource, rule: ConnectionRule): ConnectionCandidate {
  const { tls, claims, path, suffix } = rule
  const passing = tls.mode === 'passthrough'
  const resolved = rule.destinations.map((one) => {
    const { cluster, findings } = resolveReference(mesh, resource, one.path, one.reference)
    const unmet = passing ? withoutIdentity(mesh, cluster, originOf(resource, one.path)) : []
    return {
      weight: one.weight,
      cluster: carrying(cluster, passing ? 'tls' : 'tcp'),
      findings: [...findings, ...unmet],
    }
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
  tls: ConnectionTls,
  claims: NameClaim[],
): ConnectionCandidate {
  const destinations = spec.rules.flatMap(({ backendRefs }, rule) =>
    backendRefs.map(({ name: host, namespace = resource.metadata.namespace, port, weight }, index) => ({
      reference: { host, namespace, port, subset: undefined },
      weight,
      path: `spec.rules[${rule}].backendRefs[${index}]`,
    })),
  )
  return connectionCandidate(mesh, resource, { suffix: '', path: 'spec.rules[0]', tls, claims, destinations })
}

/** A client outside has no certificate of the mesh, and what passes through is the client's own TLS. */
function withoutIdentity(mesh: Mesh, name: string, origin: Origin): MeshFinding[] {
  const [compiled] = referencedClusters(mesh, [name], clientsOf(origin.namespace))
  if (compiled?.cluster.tls?.mode !== 'mutual' || compiled.tunnel !== null) return []
  const message = `${compiled.service.key} is called with mutual TLS of the mesh, which a connection that passes through does not bring`
  const hint = 'let the gateway end TLS (tls.mode Terminate), or let the service take others (PeerAuthentication)'
  return [{ severity: 'warning', code: 'WEFT_MESH_CONFLICT', origin, message, hint }]
}

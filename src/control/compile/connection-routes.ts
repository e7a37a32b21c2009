/** TLSRoute and TCPRoute as routes of connections, each with the server names that it would take of a listener. */
import type { MeshResource } from '../mesh-source.js'
import type { ConnectionRules } from '../resources/connection-references.js'
import { referencedClusters } from './cluster-references.js'
import { type MeshFinding, originOf } from './finding.js'
import { carrying, type Mesh } from './mesh.js'
import type { ConnectionRoute, ConnectionTls, Origin } from './nouns.js'
import type { Parsed } from './parsed.js'
import { resolveReference } from './references.js'
import type { NameClaim } from './server-names.js'

export interface ConnectionCandidate {
  resource: MeshResource
  route: Omit<ConnectionRoute, 'serverNames'>
  claims: NameClaim[]
  findings: MeshFinding[]
}

export function connectionCandidate(
  mesh: Mesh,
  { resource, spec }: Parsed<{ rules: ConnectionRules }>,
  tls: ConnectionTls,
  claims: NameClaim[],
): ConnectionCandidate {
  const resolved = spec.rules.flatMap(({ backendRefs }, rule) =>
    backendRefs.map((ref, index) => {
      const path = `spec.rules[${rule}].backendRefs[${index}]`
      const namespace = ref.namespace ?? resource.metadata.namespace
      const reference = { host: ref.name, namespace, port: ref.port, subset: undefined }
      const { cluster, findings } = resolveReference(mesh, resource, path, reference)
      const unmet = tls.mode === 'passthrough' ? withoutIdentity(mesh, cluster, originOf(resource, path)) : []
      return { weight: ref.weight, cluster, findings: [...findings, ...unmet] }
    }),
  )
  const carried = tls.mode === 'passthrough' ? 'tls' : 'tcp'
  return {
    resource,
    route: {
      name: routeName(resource, tls),
      tls,
      forward: resolved.map(({ cluster, weight }) => ({ cluster: carrying(cluster, carried), weight })),
      origin: originOf(resource, 'spec.rules[0]'),
    },
    claims,
    findings: resolved.flatMap(({ findings }) => findings),
  }
}

/** A client outside has no certificate of the mesh, and what passes through is the client's own TLS. */
function withoutIdentity(mesh: Mesh, name: string, origin: Origin): MeshFinding[] {
  const [compiled] = referencedClusters(mesh, [name], origin.namespace)
  if (compiled?.cluster.tls?.mode !== 'mutual') return []
  const message = `${compiled.service.key} is called with mutual TLS of the mesh, which a connection that passes through does not bring`
  const hint = 'let the gateway end TLS (tls.mode Terminate), or let the service take others (PeerAuthentication)'
  return [{ severity: 'warning', code: 'WEFT_MESH_CONFLICT', origin, message, hint }]
}

/** What TLS passes through goes to other clusters than what does not. */
function routeName({ kind, metadata: { namespace, name } }: MeshResource, { mode }: ConnectionTls): string {
  return `${kind}/${namespace}/${name}${mode === 'passthrough' ? '/passthrough' : ''}`
}

/** Whom policies of action CUSTOM ask: what their providers' names mean, and the clusters of those that a data plane asks. */
import type { AuthorizerProvider, HttpAuthorizerProvider } from '../../config/authorizer-providers.js'
import { authorizationPolicy } from '../../resources/authorization-policy.js'
import type { Authorizer } from '../authorizer-noun.js'
import { type MeshFinding, originOf } from '../finding.js'
import type { Mesh } from '../mesh/mesh.js'
import type { MeshNode } from '../mesh/node.js'
import type { Cluster, Origin, TextMatch } from '../nouns.js'
import { holdsFor } from './policy-target.js'
import { authorityOf, noProviderFinding, provider, providerCluster } from './providers.js'

/** How many one request may need the word of. */
export const authorizersAtMost = 4

export interface FoundAuthorizer {
  authorizer: Authorizer
  clusterNoun: Cluster
}

/** Null: there is none of that name. */
export function authorizerOf(mesh: Mesh, name: string): FoundAuthorizer | null {
  const { envoyExtAuthzHttp: http, envoyExtAuthzGrpc: grpc } = provider(mesh, name) ?? {}
  const cluster = `authorizer/${name}`
  if (http !== undefined)
    return {
      authorizer: overHttp(authorizer(name, 'http', http), http),
      clusterNoun: providerCluster(cluster, 'http1', http),
    }
  if (grpc !== undefined)
    return { authorizer: authorizer(name, 'grpc', grpc), clusterNoun: providerCluster(cluster, 'http2', grpc) }
  return null
}

/** Of the policies that hold for a data plane; a name that leads nowhere is told. */
export function authorizersFor(mesh: Mesh, node: MeshNode): { clusters: Cluster[]; findings: MeshFinding[] } {
  const clusters = new Map<string, Cluster>()
  const findings: MeshFinding[] = []
  if (node.role === 'sidecar' && node.inbound === null) return { clusters: [], findings }
  for (const policy of mesh.kinds.of(authorizationPolicy)) {
    const { name } = policy.spec.provider ?? {}
    if (name === undefined || !holdsFor(mesh, policy, node)) continue
    const found = authorizerOf(mesh, name)
    const origin = originOf(policy.resource, 'spec.provider')
    if (found === null) findings.push(refusing(noProviderFinding(origin, name, 'authorization')))
    else if (clusters.has(name) || clusters.size < authorizersAtMost) clusters.set(name, found.clusterNoun)
    else findings.push(refusing(tooManyFinding(origin)))
  }
  return { clusters: [...clusters.values()], findings }
}

function refusing(finding: MeshFinding): MeshFinding {
  return { ...finding, message: `${finding.message}: what its rules match is refused` }
}

function tooManyFinding(origin: Origin): MeshFinding {
  const message = `${authorizersAtMost} other providers are asked by older policies already`
  const hint = 'let fewer providers decide for a workload'
  return { severity: 'error', code: 'WEFT_MESH_UNSUPPORTED', origin, message, hint, stops: true }
}

function authorizer(name: string, protocol: Authorizer['protocol'], declared: AuthorizerProvider): Authorizer {
  const { timeout, failOpen, statusOnError, clearRouteCache, includeRequestBodyInCheck: body } = declared
  return {
    ...{ name, protocol, cluster: `authorizer/${name}`, authority: authorityOf(declared), timeoutMs: timeout },
    onError: failOpen ? 'pass' : statusOnError,
    reroutes: clearRouteCache,
    pathPrefix: '',
    asked: {
      headers: null,
      added: {},
      body:
        body === undefined
          ? null
          : { maxBytes: body.maxRequestBytes, partial: body.allowPartialMessage, asBytes: body.packAsBytes },
    },
    answered: { upstream: [], downstreamOnAllow: [], downstreamOnDeny: null },
  }
}

function overHttp(noun: Authorizer, declared: HttpAuthorizerProvider): Authorizer {
  const { includeRequestHeadersInCheck: told, headersToDownstreamOnDeny: onDeny } = declared
  return {
    ...noun,
    pathPrefix: declared.pathPrefix,
    asked: {
      ...noun.asked,
      headers: told.length === 0 ? null : told.map(headerPattern),
      added: declared.includeAdditionalHeadersInCheck,
    },
    answered: {
      upstream: declared.headersToUpstreamOnAllow.map(headerPattern),
      downstreamOnAllow: declared.headersToDownstreamOnAllow.map(headerPattern),
      downstreamOnDeny: onDeny.length === 0 ? null : onDeny.map(headerPattern),
    },
  }
}

/** `text*` is a prefix, `*text` a suffix, `*` any. */
function headerPattern(text: string): TextMatch {
  if (text.endsWith('*')) return { prefix: text.slice(0, -1) }
  return text.startsWith('*') ? { suffix: text.slice(1) } : { exact: text }
}

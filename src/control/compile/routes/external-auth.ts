/** The filter `ExternalAuth` of a rule, as whom requests need the word of. */

import type { ExternalAuth } from '../../resources/external-auth.js'
import type { MeshResource } from '../../state/mesh-source.js'
import type { Authorizer } from '../authorizer-noun.js'
import type { MeshFinding } from '../finding.js'
import { carrying, type Mesh } from '../mesh/mesh.js'
import { resolveReference } from '../mesh/references.js'
import type { TextMatch } from '../nouns.js'

/** A route says nothing of how long an answer may take. */
const answerTimeoutMs = 5_000

/** Null beside findings: whom to ask is not there, so no request may pass. */
export function externalAuthorizer(
  mesh: Mesh,
  resource: MeshResource,
  path: string,
  { protocol, backendRef, http, grpc, forwardBody: { maxSize } = { maxSize: 0 } }: ExternalAuth,
): { noun: Authorizer | null; findings: MeshFinding[] } {
  const namespace = backendRef.namespace ?? resource.metadata.namespace
  const reference = { host: backendRef.name, namespace, port: backendRef.port, subset: undefined }
  const { cluster, findings } = resolveReference(mesh, resource, `${path}.backendRef`, reference)
  if (findings.length > 0) return { noun: null, findings }
  const { allowedHeaders = [] } = http ?? grpc ?? {}
  const onwards = http?.allowedResponseHeaders ?? []
  const noun: Authorizer = {
    name: `${namespace}/${backendRef.name}`,
    protocol: protocol === 'GRPC' ? 'grpc' : 'http',
    cluster: carrying(cluster, protocol === 'GRPC' ? 'grpc' : 'requests'),
    authority: `${backendRef.name}.${namespace}:${backendRef.port}`,
    timeoutMs: answerTimeoutMs,
    onError: 403,
    reroutes: false,
    pathPrefix: http?.path ?? '',
    asked: {
      headers: allowedHeaders.length === 0 ? null : allowedHeaders.map(exactly),
      added: {},
      body: maxSize === 0 ? null : { maxBytes: maxSize, partial: true, asBytes: false },
    },
    answered: {
      upstream: protocol === 'GRPC' ? [] : onwards.length === 0 ? 'all' : onwards.map(exactly),
      downstreamOnAllow: [],
      downstreamOnDeny: null,
    },
  }
  return { noun, findings }
}

function exactly(exact: string): TextMatch {
  return { exact }
}

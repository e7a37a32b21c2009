/**
 * TLS to a service outside of the mesh, as its BackendTLSPolicy says: one for the port before one for the service, the
 * oldest of them, and none where a DestinationRule says how.
 *
 * Invariant: where a policy has no authority to believe, the service is not asked at all; never in plain text.
 */
import type { BackendTlsPolicySpec } from '../../resources/backend-tls-policy.js'
import { configMap } from '../../resources/config-map.js'
import type { DestinationRuleSpec } from '../../resources/destination-rule.js'
import { describeOrigin, type MeshFinding, originOf } from '../finding.js'
import { attachments } from '../mesh/attachments.js'
import { keep, type Mesh } from '../mesh/mesh.js'
import type { Parsed } from '../mesh/parsed.js'
import type { ServiceDefinition, ServicePort } from '../mesh/services.js'
import type { ClusterTls, Origin } from '../nouns.js'

export interface BackendTls {
  /** Null: no policy speaks. */
  tls: ClusterTls | null
  /** Nobody may be believed, so nobody is asked. */
  isClosed: boolean
  origin: Origin | null
  findings: MeshFinding[]
}

/** `rule`: the DestinationRule where it says how TLS to this port is spoken. */
export function chooseBackendTls(
  mesh: Mesh,
  { service, port, rule }: { service: ServiceDefinition; port: ServicePort; rule: Parsed<DestinationRuleSpec> | null },
): BackendTls {
  const all = policiesFor(service, port, attachments(mesh).services.get(service.key)?.backendTls ?? [])
  const silent = { tls: null, isClosed: false, origin: null }
  const conflict = ({ resource }: Parsed<unknown>, holder: string): MeshFinding => ({
    ...{ severity: 'error', code: 'WEFT_MESH_CONFLICT', origin: originOf(resource, 'spec.targetRefs') },
    message: `${holder} already says how TLS to ${service.key} is spoken`,
    hint: 'let one resource say it',
  })
  const [first, ...rest] = all
  if (first === undefined) return { ...silent, findings: [] }
  if (rule !== null) {
    const holder = describeOrigin(originOf(rule.resource, ''))
    return { ...silent, findings: all.map((policy) => conflict(policy, holder)) }
  }
  const { hostname, subjectAltNames } = first.spec.validation
  const { roots, isClosed, findings } = rootsOf(mesh, first)
  const allow = subjectAltNames.map((name) => name.hostname)
  return {
    tls: { mode: 'simple', allow, serverName: hostname, verify: true, certificate: null, roots, byEndpoint: null },
    isClosed,
    origin: originOf(first.resource, 'spec.validation'),
    findings: [...findings, ...rest.map((policy) => conflict(policy, describeOrigin(originOf(first.resource, ''))))],
  }
}

/** The narrowest that there are. */
function policiesFor(
  service: ServiceDefinition,
  port: ServicePort,
  all: Parsed<BackendTlsPolicySpec>[],
): Parsed<BackendTlsPolicySpec>[] {
  const naming = (section: string | undefined) =>
    all.filter(({ resource: { metadata }, spec }) =>
      spec.targetRefs.some(
        ({ name, sectionName }) => `${metadata.namespace}/${name}` === service.key && sectionName === section,
      ),
    )
  const ofPort = naming(port.name)
  return ofPort.length > 0 ? ofPort : naming(undefined)
}

/** One set of roots for a policy: what its references hold together. */
function rootsOf(
  mesh: Mesh,
  { resource, spec }: Parsed<BackendTlsPolicySpec>,
): Pick<BackendTls, 'isClosed' | 'findings'> & Pick<ClusterTls, 'roots'> {
  const { caCertificateRefs: refs } = spec.validation
  if (refs === undefined) return { roots: null, isClosed: false, findings: [] }
  const { namespace, name } = resource.metadata
  const texts = refs.map((ref) => authoritiesByName(mesh).get(`${namespace}/${ref.name}`))
  const known = texts.filter((text) => text !== undefined)
  const isClosed = known.length === 0
  const findings = texts.flatMap((text, index): MeshFinding[] => {
    if (text !== undefined) return []
    const origin = originOf(resource, `spec.validation.caCertificateRefs[${index}]`)
    const effect = isClosed ? '; its services are not asked until there is' : ''
    const message = `there is no ConfigMap ${namespace}/${refs[index]?.name}${effect}`
    const hint = 'it stands in the namespace of the policy and holds the key ca.crt'
    return [{ severity: 'error', code: 'WEFT_MESH_REFERENCE', origin, message, hint }]
  })
  const roots = isClosed ? null : { secret: `roots/${namespace}/${name}`, pem: known.join('\n') }
  return { roots, isClosed, findings }
}

function authoritiesByName(mesh: Mesh): ReadonlyMap<string, string> {
  return keep(mesh, 'authorities by name', () => {
    const maps = mesh.kinds.of(configMap)
    return new Map(
      maps.map(({ resource: { metadata }, spec }) => [`${metadata.namespace}/${metadata.name}`, spec['ca.crt']]),
    )
  })
}

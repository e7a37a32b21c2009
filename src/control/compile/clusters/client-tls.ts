/** TLS to a service, as its DestinationRule says: what is shown, who is believed, and where both come from. */
import type { ClientTls } from '../../resources/client-tls.js'
import type { Mesh } from '../mesh/mesh.js'
import type { ServiceDefinition } from '../mesh/services.js'
import type { ClusterCertificate, ClusterRoots, ClusterTls } from '../nouns.js'
import { peerMode, portLevelOrigin } from '../policies/peer-authentication.js'

/**
 * Where nothing is said, mutual TLS goes to services that take nothing else, and to those of their endpoints. A credential is of the namespace of the
 * clients, as in Istio: a rule that is seen elsewhere hands nobody a key of its own namespace.
 */
export function clusterTls(
  mesh: Mesh,
  service: ServiceDefinition,
  written: ClientTls | undefined,
  clientNamespace: string,
): ClusterTls | null {
  const { namespace, name, external } = service
  const byEndpoint = external || service.dns || written !== undefined ? null : portLevelOrigin(mesh, namespace, name)
  const strict = !external && peerMode(mesh, namespace, { app: name }, null).mode === 'strict'
  const mode = written?.mode ?? (strict || byEndpoint !== null ? 'ISTIO_MUTUAL' : 'DISABLE')
  if (mode === 'DISABLE') return null
  const { trustDomain } = mesh.options
  const identities = service.accounts.map((account) => `spiffe://${trustDomain}/ns/${service.namespace}/sa/${account}`)
  const names =
    written !== undefined && written.subjectAltNames.length > 0 ? written.subjectAltNames : service.subjectAltNames
  const serverName = written?.sni === undefined || written.sni === '' ? service.name : written.sni
  if (written === undefined || mode === 'ISTIO_MUTUAL') {
    const allow = names.length > 0 ? names : identities
    return { mode: 'mutual', allow, serverName, verify: true, certificate: null, roots: null, byEndpoint }
  }
  const verify = !written.insecureSkipVerify
  return {
    ...{ mode: 'simple', allow: names, serverName, verify },
    certificate: mode === 'MUTUAL' ? shownCertificate(written, clientNamespace) : null,
    roots: verify ? believedRoots(written, clientNamespace) : null,
    byEndpoint: null,
  }
}

function shownCertificate(
  { credentialName, clientCertificate: chain, privateKey: key }: ClientTls,
  namespace: string,
): ClusterCertificate | null {
  if (credentialName !== undefined)
    return { secret: `${namespace}/${credentialName}`, credential: `${namespace}/${credentialName}` }
  // As a secret, files that are replaced are read again.
  return chain === undefined || key === undefined ? null : { secret: `certificate:${chain},${key}`, chain, key }
}

function believedRoots({ credentialName, caCertificates, caCrl }: ClientTls, namespace: string): ClusterRoots | null {
  if (credentialName !== undefined)
    return { secret: `roots:${namespace}/${credentialName}`, credential: `${namespace}/${credentialName}` }
  if (caCertificates === undefined && caCrl === undefined) return null
  const secret = `roots:${caCertificates ?? 'system'}${caCrl === undefined ? '' : `,${caCrl}`}`
  return { secret, file: caCertificates ?? null, revoked: caCrl ?? null }
}

/** Secrets of one data plane that people named: what its listeners show, and what its clusters show and believe. */
import type { CertificateSource } from '../certificates/certificate-source.js'
import { type Credential, credentialsOf } from '../compile/clusters/credentials.js'
import type { MeshFinding } from '../compile/finding.js'
import type { Origin } from '../compile/nouns.js'
import type { MeshView } from '../compile/view.js'
import { authoritiesResource, certificateResource, type XdsResource } from '../compile/xds/resources.js'

export interface NamedSecrets {
  resources: XdsResource[]
  /** What the control plane does not have. */
  findings: MeshFinding[]
}

/**
 * Envoy goes on with the listener or cluster that it had until it has all that the new one asks for. A selector finds
 * gateways by what they say of themselves: keys go to those alone that have proved to be of the certificate's namespace.
 */
export function namedSecrets({ secrets, clusters, node }: MeshView, certificates: CertificateSource): NamedSecrets {
  const resources: XdsResource[] = []
  const findings: MeshFinding[] = []
  for (const { name, origin } of secrets) {
    const isOwn = name.startsWith(`${node.namespace}/`)
    const certificate = isOwn ? certificates.named(name) : null
    if (certificate !== null) resources.push(certificateResource(name, certificate))
    else if (!isOwn) findings.push(foreign(origin, name, node.namespace))
    else findings.push(absent(origin, `certificate ${name}: the listener waits for it`, 'take the listener away'))
  }
  for (const credential of clusters.flatMap(credentialsOf)) {
    const resource = credentialResource(credential, certificates)
    if (resource !== null) resources.push(resource)
    else if (credential.origin !== null)
      findings.push(absent(credential.origin, lacking(credential), 'take credentialName away'))
  }
  return { resources, findings }
}

function credentialResource({ secret, name, part }: Credential, certificates: CertificateSource): XdsResource | null {
  if (part === 'certificate') {
    const certificate = certificates.named(name)
    return certificate === null ? null : certificateResource(secret, certificate)
  }
  const authorities = certificates.authorities(name)
  return authorities === null ? null : authoritiesResource(secret, authorities)
}

function lacking({ part, name, cluster }: Credential): string {
  const what = part === 'certificate' ? `certificate ${name}` : `authorities ${name} (ca.crt)`
  return `${what}: ${cluster} is not called until there is`
}

function foreign(origin: Origin, name: string, namespace: string): MeshFinding {
  const message = `the certificate ${name} is not for data planes of ${namespace}: the listener waits for it`
  const hint = 'run the gateway in the namespace of the certificate'
  return { severity: 'error', code: 'WEFT_MESH_REFERENCE', origin, message, hint, stops: true }
}

function absent(origin: Origin, what: string, otherwise: string): MeshFinding {
  const message = `the control plane has no ${what}`
  const hint = `give the control plane the certificate, or ${otherwise}`
  return { severity: 'error', code: 'WEFT_MESH_REFERENCE', origin, message, hint, stops: true }
}

/**
 * Operators by client certificate: the configuration says which identity has which role.
 *
 * Invariant: only a certificate that the TLS layer has verified against the client CA is looked at.
 */
import type { TLSSocket } from 'node:tls'
import type { Principal, Role } from './roles.js'

export interface CertificateHolder {
  /** A URI or DNS name of the certificate's subject alternative names, or its common name. */
  identity: string
  role: Role
  namespaces: readonly string[]
}

/** `null` when there is no verified certificate, or none that the configuration knows. */
export function principalOfCertificate(socket: TLSSocket, holders: readonly CertificateHolder[]): Principal | null {
  if (!socket.authorized) return null
  const { subject, subjectaltname = '' } = socket.getPeerCertificate()
  const names = subjectaltname.split(', ').flatMap((name) => /^(?:URI|DNS):(.+)$/.exec(name)?.[1] ?? [])
  const common = subject?.CN as string | string[] | undefined
  const identities = new Set([...names, ...(common === undefined ? [] : [common].flat())])
  const holder = holders.find(({ identity }) => identities.has(identity))
  if (holder === undefined) return null
  const { identity, role, namespaces } = holder
  return { name: `certificate:${identity}`, role, namespaces, service: null }
}

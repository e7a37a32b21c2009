/**
 * TLS of the port where data planes connect. Certificates are asked for and demanded only where nothing else could prove
 * who somebody is; what is trusted may change while it serves.
 */
import { ServerCredentials } from '@grpc/grpc-js'

export interface MeshTls {
  /** PEM. */
  certificate: string
  /** PEM. */
  key: string
  /** PEM: whose client certificates are believed; empty for none. */
  roots: string
}

export class MeshCredentials extends ServerCredentials {
  /** `demand`: a connection without a client certificate is refused; `ask`: it goes on without. */
  constructor(tls: MeshTls, certificates: 'demand' | 'ask' | 'none') {
    const requestCert = certificates !== 'none'
    super({ requestCert, rejectUnauthorized: certificates === 'demand', minVersion: 'TLSv1.2' }, contextOf(tls))
  }

  /** For new connections. */
  renew(tls: MeshTls): void {
    this.updateSecureContextOptions(contextOf(tls))
  }

  override _equals(other: ServerCredentials): boolean {
    return other === this
  }
}

function contextOf({ certificate, key, roots }: MeshTls) {
  // An empty list and not none: whom the system trusts is not trusted here.
  return { cert: certificate, key, ca: roots === '' ? [] : roots }
}

/** Where certificates come from: files now, an issuing authority when there is one. The xDS server hands them on by SDS. */

export interface Certificate {
  /** PEM: the leaf first, then what stands between it and a root. */
  chain: string
  /** PEM. */
  key: string
}

export interface TrustBundle {
  /** PEM: every root that is trusted now. */
  roots: string
  /** PEM; empty: nothing was revoked. */
  revoked: string
  /** The lists are of those who issue workload certificates alone, and say nothing of what stands above them. */
  leavesOnly: boolean
}

/** Who may vouch for a service outside. */
export interface Authorities {
  /** PEM. */
  roots: string
  /** PEM; empty: nothing was revoked. */
  revoked: string
}

export interface WorkloadName {
  namespace: string
  account: string
}

/** What people named, such as `default/shop-cert`: equal answers are the same object until one changes. */
export interface NamedCertificates {
  /** Gateways show it to clients outside, and clients to services outside. */
  named(name: string): Certificate | null
  /** What stands beside the certificate of that name, or alone. */
  authorities(name: string): Authorities | null
  /** Calls after each change; the returned function ends it. */
  onChange(listener: () => void): () => void
}

export interface CertificateSource extends NamedCertificates {
  /** The certificate in which a workload shows its SPIFFE id, or null when there is none for it. */
  identity(workload: WorkloadName): Certificate | null
  /** Resolves when `identity` has its answer, never rejects; null or absent: it has it now. */
  prepare?(workload: WorkloadName): Promise<void> | null
  roots(): TrustBundle | null
}

/** A mesh without certificates: what needs one never gets it, and so never serves without. */
export const noCertificates: CertificateSource = {
  identity: () => null,
  named: () => null,
  authorities: () => null,
  roots: () => null,
  onChange: () => () => {},
}

/** Where a workload gets its certificate from: the port of the data planes over gRPC, or a Unix socket of this machine. */

export interface Received {
  /** PEM, leaf first, without the root. */
  chain: string
  /** PEM; null when they come another way. */
  bundle: Bundle | null
}

export interface Bundle {
  roots: string
  revoked: string
}

export interface Pair {
  certificate: string
  key: string
}

export interface Authority {
  /** `own`: what it has already, which proves who it is. Throws `WEFT_CA_PROOF`, `WEFT_CA_REQUEST`, `WEFT_CLIENT_UNREACHABLE`. */
  certify(request: string, own: Pair | null): Promise<Received>
  /**
   * Tells the trusted roots now and after each change, for as long as it is not ended; what `take` resolves with is in
   * place. The returned function ends it.
   */
  follow(own: () => Pair | null, take: (bundle: Bundle) => Promise<void>): () => void
}

/** Somebody outside who decides whether a request passes, over HTTP or over the gRPC protocol of Envoy's `ext_authz`. */
import type { TextMatch } from './nouns.js'

export interface Authorizer {
  /** Under which its answers are counted. */
  name: string
  protocol: 'http' | 'grpc'
  cluster: string
  /** `host:port`, as it is called. */
  authority: string
  timeoutMs: number
  /** Where it cannot be asked: requests pass, or are answered with this status. */
  onError: 'pass' | number
  /** Routes are chosen again after it has changed the request. */
  reroutes: boolean
  /** Before each path that it is asked about, over HTTP. */
  pathPrefix: string
  asked: {
    /** Headers of the request that it is told; null: all over gRPC, over HTTP those that are always told. */
    headers: TextMatch[] | null
    added: Record<string, string>
    /** A longer body is cut off (`partial`) or refused with 413; null: it is not told. */
    body: { maxBytes: number; partial: boolean; asBytes: boolean } | null
  }
  /** Headers of its answer that go on, over HTTP; over gRPC it says itself. */
  answered: {
    /** To the application, in the request; `all`: but those that are about the answer itself. */
    upstream: TextMatch[] | 'all'
    /** To the client, beside the application's answer. */
    downstreamOnAllow: TextMatch[]
    /** To the client, with the refusal; null: all. */
    downstreamOnDeny: TextMatch[] | null
  }
}

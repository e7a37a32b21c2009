/** What policies say of a listener beside its routes: whose tokens are taken, what is logged and traced. */
import type { Origin } from './nouns.js'

/** Whose tokens are taken. One that is there must be valid; whether one must be there is for the authorization to say. */
export interface Authentication {
  tokens: TokenRule[]
  origins: Origin[]
}

export interface TokenRule {
  issuer: string
  /** Empty: whatever a token is for. */
  audiences: string[]
  /** A JSON Web Key Set. */
  keys: string
  /** All empty: the header `authorization: Bearer`, and the parameter `access_token`. */
  from: { headers: { name: string; prefix: string }[]; params: string[]; cookies: string[] }
  /** The application sees the token too. */
  forward: boolean
  payloadHeader: string | null
  claimHeaders: { header: string; claim: string }[]
  /** Claims whose text is a list. */
  listClaims: string[]
}

export interface ListenerTelemetry {
  accessLogs: AccessLog[]
  tracing: Tracing | null
  origins: Origin[]
}

export interface AccessLog {
  /** Null: standard output. */
  path: string | null
  /** A text, the fields of a JSON line, or null: ours. */
  format: string | Record<string, string> | null
  /** CEL: what is logged; null: all. */
  filter: string | null
  /** Null: a default of the control plane. */
  origin: Origin | null
}

export interface Tracing {
  exporter: TraceExporter
  /** Of the requests that come without a decision. */
  samplingPercent: number
  tags: TraceTag[]
  origin: Origin | null
}

export interface TraceExporter {
  type: 'zipkin' | 'otlp-http' | 'otlp-grpc'
  cluster: string
  /** `host:port` of who collects, as it is called. */
  authority: string
  /** Over HTTP. */
  path: string | null
  /** Whose spans they are. */
  service: string
}

export type TraceTag = { name: string } & (
  | { literal: string }
  | { header: string; otherwise: string }
  | { environment: string; otherwise: string }
  /** As access logs are written. */
  | { format: string }
)

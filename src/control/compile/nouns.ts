/**
 * What mesh resources compile to: the nouns of a Weft configuration (listener, route, cluster, endpoint), resolved, with
 * the resource that each came from. xDS is written from these and from nothing else.
 *
 * Invariant: names and meaning follow the configuration language; durations are milliseconds, `null` is "not set".
 */

import type { Authorizer } from './authorizer-noun.js'
import type { ListenerTelemetry } from './listener-nouns.js'

/** Where in which resource a noun was written; a verdict points there. */
export interface Origin {
  kind: string
  namespace: string
  name: string
  path: string
}

export type TextMatch =
  | { exact: string }
  | { prefix: string }
  | { suffix: string }
  | { regex: string }
  | { present: true }
  | { absent: true }

export type NamedMatch = { name: string } & TextMatch
/** A header may also be asked not to match, or to match in any case. */
export type HeaderMatch = NamedMatch & { not?: true; ignoreCase?: true }

export interface RouteMatch {
  path: ({ exact: string } | { prefix: string } | { text: string } | { regex: string }) & { ignoreCase?: true }
  method: TextMatch | null
  headers: HeaderMatch[]
  query: NamedMatch[]
}

export interface HeaderChange {
  set: Record<string, string>
  add: Record<string, string>
  remove: string[]
}

export interface Forward {
  cluster: string
  weight: number
  requestHeaders: HeaderChange | null
  responseHeaders: HeaderChange | null
}

export interface Retry {
  retries: number
  on: string[]
  statusCodes: number[]
  perTryTimeoutMs: number | null
  backoffBaseMs: number | null
  avoidPreviousEndpoints: boolean
  /** After two tries in one priority (a locality, where endpoints are ordered by distance) it goes on in others. */
  leavesPriority?: true
}

export interface Fault {
  delay: { fixedMs: number; percent: number } | null
  abort: (({ status: number } | { grpcStatus: number }) & { percent: number }) | null
}

export interface Redirect {
  scheme: string | null
  host: string | null
  port: number | null
  path: { full: string } | { prefix: string } | null
  status: number
}

export interface Rewrite {
  host: string | null
  path: { full: string } | { prefix: string } | { regex: string; substitution: string } | null
}

export interface Mirror {
  cluster: string
  percent: number
}

export interface Cors {
  origins: TextMatch[]
  methods: string[]
  headers: string[]
  exposeHeaders: string[]
  maxAgeMs: number | null
  credentials: boolean | null
}

/** The requests of one client go to one endpoint, which the cookie or header that the client got names. */
export interface SessionPersistence {
  by: 'cookie' | 'header'
  name: string
  /** Of the cookie. */
  path: string
  /** Null: as long as the client's own session. */
  lifetimeMs: number | null
}

/** What answers a request. */
export type RouteAction =
  | { forward: Forward[] }
  | { redirect: Redirect }
  | { respond: { status: number; body: string; encoding?: 'base64' } }

export interface Route {
  name: string
  match: RouteMatch
  action: RouteAction
  /** 0 is off. */
  timeoutMs: number
  retry: Retry | null
  requestHeaders: HeaderChange | null
  responseHeaders: HeaderChange | null
  rewrite: Rewrite | null
  mirror: Mirror[]
  fault: Fault | null
  cors: Cors | null
  /** Who must let requests pass. */
  externalAuth: Authorizer | null
  /** With several services in `forward`, one of weight 0 goes on with the sessions that it has. */
  session?: SessionPersistence
  /** Under which its own numbers are counted. */
  statPrefix?: string
  /** Elsewhere the rule does not hold: for other clients, or at other ports. */
  isPartial?: true
  origin: Origin | null
  /** The rule that left its requests to the one of the origin. */
  through?: Origin
}

/** Table and listener through which a sidecar's application reaches other services. */
export const outboundTable = 'outbound'

/** The routes of a group of hosts, first match first. */
export interface HostRoutes {
  name: string
  hosts: string[]
  routes: Route[]
}

export interface RouteTable {
  name: string
  hosts: HostRoutes[]
  authorization: Authorization | null
}

export interface Listener {
  name: string
  address: string
  direction: 'inbound' | 'outbound'
  /** Name of the table whose routes it serves; null: it serves no requests. */
  routes: string | null
  tls: ListenerTls | null
  /** What takes connections whole, beside or instead of requests. */
  connections: ConnectionRoute[]
  /** Who may connect, for `connections`; who may ask stands with the table. */
  authorization: Authorization | null
  /** Whose tokens it takes is told apart, so that what is open follows at once. */
  readsTokens: boolean
  telemetry: ListenerTelemetry | null
}

/** Where connections go as they are, by the name that their TLS handshake asks for. */
export interface ConnectionRoute {
  /** Equal names mean equal `forward`. */
  name: string
  /** Exact or `*.suffix`; empty: each one that no other route takes. */
  serverNames: string[]
  /** Where the listener's connections are told apart by their addresses too: all of them, in place of the names. */
  places?: ConnectionPlace[]
  tls: ConnectionTls
  /** Of weight 0: known, and chosen never. Nothing with a weight: connections are closed. */
  forward: { cluster: string; weight: number }[]
  limits: ConnectionLimits
  /** Null: they go to the endpoints as they are. */
  tunnel: Tunnel | null
  /** Null: nobody wrote it, connections go where they are called. */
  origin: Origin | null
}

/** When connections that are forwarded whole are ended. */
export interface ConnectionLimits {
  /** Without a byte; 0 is never, null an hour. */
  idleTimeoutMs: number | null
  maxAgeMs: number | null
}

/** Connections inside of requests to a proxy, which makes them to `target` (`host:port`). */
export interface Tunnel {
  method: 'CONNECT' | 'POST'
  target: string
}

/** A range of addresses as text; null: any that no other place of the listener takes. */
export interface ConnectionPlace {
  serverNames: string[]
  destination: string | null
  source: string | null
}

/**
 * `none`: whatever it is; `passthrough`: TLS that an endpoint ends; `terminate`: TLS that ends here; `mutual`: the mesh's
 * own, or, where `others` may come too, anything else as it is.
 */
export type ConnectionTls =
  | { mode: 'none' }
  | { mode: 'passthrough' }
  | { mode: 'terminate'; secret: string }
  | { mode: 'mutual'; others: boolean }

export interface ListenerTls {
  /** `strict` and `permissive`: client certificates of the mesh; `none`: a plain certificate for clients outside. */
  mode: 'strict' | 'permissive' | 'none'
  /** Secrets by name, and for which server names each is shown; empty names: always. */
  certificates: { secret: string; serverNames: string[]; places?: ConnectionPlace[]; origin: Origin }[]
}

export interface LoadBalancer {
  policy: 'least-request' | 'random' | 'round-robin' | 'ring-hash' | 'maglev'
  hashOn: HashOn | null
  minRing: number | null
  tableSize: number | null
  slowStart: { windowMs: number; minWeightPercent: number; aggression: number } | null
}

export type HashOn =
  | { header: string }
  | { cookie: string; path: string | null; ttlMs: number | null; attributes: { name: string; value: string }[] }
  | { query: string }
  | { clientAddress: true }

export interface CircuitBreaker {
  maxConnections: number | null
  maxPending: number | null
  maxRequests: number | null
  maxRetries: number | null
}

export interface OutlierDetection {
  consecutive5xx: number | null
  consecutiveGatewayErrors: number | null
  consecutiveLocalErrors: number | null
  splitLocalErrors: boolean
  intervalMs: number | null
  baseEjectionMs: number | null
  maxEjectionPercent: number | null
  minHealthPercent: number | null
}

export interface ClusterTls {
  /** `mutual` shows the workload's own certificate and checks the SPIFFE ids; `simple` checks names of a service. */
  mode: 'mutual' | 'simple'
  allow: string[]
  serverName: string
  verify: boolean
  /** Shown where the workload's own is not; null: none. */
  certificate: ClusterCertificate | null
  /** Authorities that are believed; null: those of the system or the mesh. */
  roots: ClusterRoots | null
  /** Only to endpoints that are `mutual`, which is what this says; null: to all. */
  byEndpoint: Origin | null
}

/** With the name of the secret that brings it: `NAMESPACE/NAME` of the control plane's, or files of the data plane. */
export type ClusterCertificate = { secret: string } & ({ credential: string } | { chain: string; key: string })

/** `file` null: the system's; `revoked`: a file too. */
export type ClusterRoots = { secret: string } & (
  | { pem: string }
  | { credential: string }
  | { file: string | null; revoked: string | null }
)

export interface Cluster {
  name: string
  /** `downstream`: what the client spoke. */
  protocol: 'http1' | 'http2' | 'tcp' | 'downstream'
  /** Endpoints come with the mesh, or from names that the data plane resolves itself. */
  discovery: { type: 'mesh' } | { type: 'dns'; endpoints: { host: string; port: number; weight: number }[] }
  connectTimeoutMs: number
  loadBalancer: LoadBalancer
  circuitBreaker: CircuitBreaker
  retryBudget: { percent: number; minConcurrency: number }
  outlierDetection: OutlierDetection | null
  keepAlive: {
    idleTimeoutMs: number | null
    maxRequests: number | null
    maxAgeMs: number | null
    maxStreams: number | null
    /** HTTP/2 connections are probed; one that does not answer in time is closed. */
    pings: { intervalMs: number; timeoutMs: number } | null
  }
  tcpKeepAlive: { probes: number | null; timeSeconds: number | null; intervalSeconds: number | null } | null
  tls: ClusterTls | null
  /** The PROXY protocol: each connection says first whose bytes it carries. */
  proxyProtocol: 'v1' | 'v2' | null
  /**
   * How requests are spread over localities of the same priority: by their weights, or to the client's own zone first
   * (null endpoints: as many as Envoy wants for it), or over all endpoints alike. Null: alike, as nobody knows of zones.
   */
  spread: { type: 'weighted' } | { type: 'zone-aware'; minEndpoints: number | null } | { type: 'alike' } | null
  origins: Origin[]
}

export interface Endpoint {
  address: string
  port: number
  weight: number
  healthy: boolean
  draining: boolean
  /** Takes nothing but mutual TLS, where that is told endpoint by endpoint. */
  mutual?: true
}

export interface Locality {
  region: string
  zone: string
  priority: number
  weight: number | null
  endpoints: Endpoint[]
}

export interface ClusterEndpoints {
  cluster: string
  localities: Locality[]
}

/**
 * Who may call: a request that an authorizer turns down is refused; then one that a deny rule takes; then one that no
 * allow rule takes.
 */
export interface Authorization extends Decisions {
  /** What they take is recorded. */
  audit: AuthorizationRule[]
  /** Who is asked about what the rules take. */
  custom: { authorizer: Authorizer; rules: AuthorizationRule[] }[]
  /** What these would decide is recorded. */
  dryRun: Decisions
  origins: Origin[]
}

export interface Decisions {
  deny: AuthorizationRule[]
  /** Null: no ALLOW policy applies, so what is not denied is allowed. */
  allow: AuthorizationRule[] | null
}

export interface AuthorizationRule {
  name: string
  condition: Condition
}

/** A tree of conditions on a request. */
export type Condition =
  | { all: Condition[] }
  | { any: Condition[] }
  | { not: Condition }
  | { principal: TextMatch }
  /** Of the token that was taken; `list`: one of several texts matches as well. */
  | { claim: { path: string[]; list: boolean } & TextMatch }
  | { clientCidr: string }
  | { connectionCidr: string }
  | { header: HeaderMatch }
  | { path: TextMatch }
  | { port: number }
  | { destinationCidr: string }
  | { serverName: TextMatch }
  | { always: true }

/**
 * What each data plane can do. A resource that asks for more is not in force there, and the verdict says so by name:
 * nothing is dropped in silence, and nothing is half done.
 */
import { plainConnectTimeoutMs, plainRetryBudget } from './clusters/plain-cluster.js'
import type { MeshFinding } from './finding.js'
import { describeOrigin } from './finding.js'
import type { MeshNode } from './mesh/node.js'
import type { Cluster, ConnectionRoute, Origin, Route } from './nouns.js'

type Plane = MeshNode['plane']

/** What of a route a plane lacks, as people would name it. */
const routeLacks: Record<Plane, (route: Route) => string[]> = {
  envoy: () => [],
  grpc: (route) => [
    ...(route.requestHeaders === null ? [] : ['changing request headers']),
    ...(route.responseHeaders === null ? [] : ['changing response headers']),
    ...(route.rewrite === null ? [] : ['rewriting']),
    ...(route.mirror.length === 0 ? [] : ['mirroring']),
    ...(route.cors === null ? [] : ['CORS']),
    ...(route.externalAuth === null ? [] : ['external authorization (what needs it is refused)']),
    ...(route.session === undefined ? [] : ['session persistence']),
    ...('redirect' in route.action ? ['redirects'] : []),
    ...(route.match.query.length === 0 ? [] : ['matching query parameters']),
    ...(route.match.method === null ? [] : ['matching the HTTP method']),
    ...(route.retry?.perTryTimeoutMs == null ? [] : ['a timeout for each try']),
    ...(route.retry?.leavesPriority === true ? ['retries in other localities'] : []),
    ...(route.statPrefix === undefined ? [] : ['numbers under a name of the route (statPrefix)']),
    ...grpcRetryLacks(route.retry?.on ?? []),
    ...('forward' in route.action &&
    route.action.forward.some((one) => one.requestHeaders !== null || one.responseHeaders !== null)
      ? ['changing headers by destination']
      : []),
  ],
}

/** The conditions that a gRPC client knows (gRFC A44); calls that never left are tried again by itself. */
const grpcRetryOn = ['cancelled', 'deadline-exceeded', 'internal', 'resource-exhausted', 'unavailable']
const grpcTriesAgain = ['connect-failure', 'refused-stream', 'reset', 'reset-before-request']

function grpcRetryLacks(on: readonly string[]): string[] {
  if (on.some((word) => grpcRetryOn.includes(word))) return []
  return on.filter((word) => !grpcTriesAgain.includes(word)).map((word) => `retries on ${word}`)
}

const clusterLacks: Record<Plane, (cluster: Cluster) => string[]> = {
  envoy: () => [],
  grpc: (cluster) => [...grpcConnectionLacks(cluster), ...grpcBalancingLacks(cluster)],
}

function grpcBalancingLacks(cluster: Cluster): string[] {
  const { loadBalancer, discovery, outlierDetection, retryBudget, spread } = cluster
  const { percent, minConcurrency } = retryBudget
  const isPlain = percent === plainRetryBudget.percent && minConcurrency === plainRetryBudget.minConcurrency
  return [
    ...(loadBalancer.policy === 'maglev' || loadBalancer.policy === 'random'
      ? [`the load balancer ${loadBalancer.policy}`]
      : []),
    ...(loadBalancer.slowStart === null ? [] : ['slow start (warmup)']),
    ...(loadBalancer.hashOn !== null && !('header' in loadBalancer.hashOn) ? ['hashing on anything but a header'] : []),
    ...(discovery.type === 'dns' && discovery.endpoints.length !== 1 ? ['resolution DNS with several endpoints'] : []),
    ...(spread?.type === 'zone-aware' ? ['preferring its own zone (zoneAwareLbSetting)'] : []),
    ...(outlierDetection === null ? [] : ['outlier detection by errors in a row']),
    ...(isPlain ? [] : ['a retry budget']),
  ]
}

function grpcConnectionLacks(cluster: Cluster): string[] {
  const { connectTimeoutMs, circuitBreaker, keepAlive, tcpKeepAlive, tls, proxyProtocol } = cluster
  return [
    ...(connectTimeoutMs === plainConnectTimeoutMs ? [] : ['connectTimeout']),
    ...(circuitBreaker.maxRetries === null ? [] : ['maxRetries']),
    ...(circuitBreaker.maxConnections === null ? [] : ['maxConnections']),
    ...(circuitBreaker.maxPending === null ? [] : ['http1MaxPendingRequests']),
    ...(keepAlive.idleTimeoutMs === null ? [] : ['idleTimeout']),
    ...(keepAlive.maxRequests === null ? [] : ['maxRequestsPerConnection']),
    ...(keepAlive.maxAgeMs === null ? [] : ['maxConnectionDuration']),
    ...(keepAlive.maxStreams === null ? [] : ['maxConcurrentStreams']),
    ...(keepAlive.pings === null ? [] : ['http2KeepAlive']),
    ...(tcpKeepAlive === null ? [] : ['tcpKeepalive']),
    ...(tls?.mode === 'simple' ? [`TLS mode ${tls.certificate === null ? 'SIMPLE' : 'MUTUAL'}`] : []),
    ...(proxyProtocol === null ? [] : ['the PROXY protocol']),
  ]
}

/** Planes that have no listeners of their own for policies to hold on. */
const withoutListeners: readonly Plane[] = ['grpc']

export function lackedPolicies(plane: Plane, policies: { what: string; origins: Origin[] }[]): MeshFinding[] {
  if (!withoutListeners.includes(plane)) return []
  return policies.flatMap(({ what, origins }) => origins.map((origin) => lack(plane, what, origin)))
}

function lack(plane: Plane, what: string, origin: Origin): MeshFinding {
  const message = `${plane} data planes lack ${what}; ${describeOrigin(origin)} is not in force there`
  return { severity: 'error', code: 'WEFT_MESH_UNSUPPORTED', origin, message, hint: null, stops: true }
}
/** A gRPC client makes requests, and takes no connections for others. */
const connectionLacks: Record<Plane, string[]> = { envoy: [], grpc: ['forwarding connections'] }

export interface Refusals {
  /** `Kind namespace/name` of the resources that are not in force. */
  refused: ReadonlySet<string>
  findings: MeshFinding[]
}

export function refusals(plane: Plane, routes: readonly Route[], clusters: readonly Cluster[]): Refusals {
  return refuse(plane, [
    ...routes.map((route) => ({ lacking: routeLacks[plane](route), origin: route.origin })),
    ...clusters.flatMap(({ tls }) =>
      plane === 'envoy' || tls?.byEndpoint == null ? [] : [{ lacking: ['mutual TLS by port'], origin: tls.byEndpoint }],
    ),
    ...clusters.map((cluster) => ({ lacking: clusterLacks[plane](cluster), origin: cluster.origins[0] ?? null })),
  ])
}

export function connectionRefusals(plane: Plane, connections: readonly ConnectionRoute[]): Refusals {
  return refuse(
    plane,
    connections.map(({ origin }) => ({ lacking: connectionLacks[plane], origin })),
  )
}

function refuse(plane: Plane, parts: { lacking: string[]; origin: Origin | null }[]): Refusals {
  const findings: MeshFinding[] = []
  for (const { lacking, origin } of parts) {
    if (origin === null) continue
    for (const what of lacking) {
      const found = lack(plane, what, origin)
      const known = findings.some(({ message, origin: { path } }) => message === found.message && path === origin.path)
      if (!known) findings.push(found)
    }
  }
  return { refused: new Set(findings.map(({ origin }) => describeOrigin(origin))), findings }
}

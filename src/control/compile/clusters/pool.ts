/** What a DestinationRule says of the connections of a cluster, and when it passes an endpoint over. */
import type { TrafficPolicyParts } from '../../resources/traffic-policy.js'
import type { CircuitBreaker, Cluster, ConnectionLimits, OutlierDetection } from '../nouns.js'
import { plainConnectTimeoutMs } from './plain-cluster.js'

type Pool = TrafficPolicyParts['connectionPool']

function keepAlive(pool: Pool): Cluster['keepAlive'] {
  const { idleTimeoutMs, maxAgeMs } = connectionLimits(pool)
  const { http } = pool ?? {}
  const pings = http?.http2KeepAlive
  return {
    // As in Istio, what is said of TCP holds for HTTP where nothing is said of that.
    idleTimeoutMs: http?.idleTimeout ?? idleTimeoutMs,
    maxRequests: http?.maxRequestsPerConnection ?? null,
    maxAgeMs,
    maxStreams: http?.maxConcurrentStreams ?? null,
    pings: pings === undefined ? null : { intervalMs: pings.interval, timeoutMs: pings.timeout },
  }
}

/** For connections that are forwarded whole. */
export function connectionLimits(pool: Pool): ConnectionLimits {
  return { idleTimeoutMs: pool?.tcp.idleTimeout ?? null, maxAgeMs: pool?.tcp.maxConnectionDuration ?? null }
}

function breaker(pool: Pool): CircuitBreaker {
  return {
    maxConnections: pool?.tcp.maxConnections ?? null,
    maxPending: pool?.http.http1MaxPendingRequests ?? null,
    maxRequests: pool?.http.http2MaxRequests ?? null,
    maxRetries: pool?.http.maxRetries ?? null,
  }
}

function tcpKeepAlive(pool: Pool): Cluster['tcpKeepAlive'] {
  const written = pool?.tcp.tcpKeepalive
  if (written === undefined) return null
  const seconds = (ms: number | undefined) => (ms === undefined ? null : Math.max(1, Math.round(ms / 1000)))
  return {
    probes: written.probes ?? null,
    timeSeconds: seconds(written.time),
    intervalSeconds: seconds(written.interval),
  }
}

export function outliers(written: NonNullable<TrafficPolicyParts['outlierDetection']>): OutlierDetection {
  return {
    consecutive5xx: written.consecutive5xxErrors ?? null,
    consecutiveGatewayErrors: written.consecutiveGatewayErrors ?? null,
    consecutiveLocalErrors: written.consecutiveLocalOriginFailures ?? null,
    splitLocalErrors: written.splitExternalLocalOriginErrors,
    intervalMs: written.interval ?? null,
    baseEjectionMs: written.baseEjectionTime ?? null,
    maxEjectionPercent: written.maxEjectionPercent ?? null,
    minHealthPercent: written.minHealthPercent ?? null,
  }
}

/** All that a pool says, whoever the connections are made to. */
export function poolFields(
  pool: Pool,
): Pick<Cluster, 'connectTimeoutMs' | 'circuitBreaker' | 'keepAlive' | 'tcpKeepAlive'> {
  return {
    connectTimeoutMs: pool?.tcp.connectTimeout ?? plainConnectTimeoutMs,
    circuitBreaker: breaker(pool),
    keepAlive: keepAlive(pool),
    tcpKeepAlive: tcpKeepAlive(pool),
  }
}

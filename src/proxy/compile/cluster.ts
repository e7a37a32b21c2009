/** `clusters[]` → the engine's clusters. */

import type { ResolvedEndpoint } from '../../config/clusters/endpoint.js'
import type { ResolvedConfig } from '../../config/config.js'
import { absoluteAddress } from '../../config/forms/address.js'
import type {
  Cluster,
  Dns,
  HealthCheck,
  Hedge,
  KeepAlive,
  LocalityAware,
  OutlierDetection,
  Subsets,
  TcpKeepAlive,
} from '../../native/snapshot.js'
import { compileAdaptiveConcurrency } from './adaptive-concurrency.js'
import { compileCircuitBreaker } from './circuit-breaker.js'
import { compileFilter, type Scripts } from './filter.js'
import { compileLoadBalancer } from './load-balancer.js'
import { compileRequestKey } from './request-key.js'

type ResolvedCluster = ResolvedConfig['clusters'][number]

/** Paths are relative to `folder`; `found` are the endpoints that the cluster's registry knows; none where it could not be asked. */
export function compileCluster(
  cluster: ResolvedCluster,
  folder: string,
  scripts: Scripts,
  found: readonly ResolvedEndpoint[] = [],
): Cluster {
  const { name, endpoints, discovery, connectTimeout, keepAlive, tcpKeepAlive, healthCheck } = cluster
  const { circuitBreaker, adaptiveConcurrency, retryBudget, hedge, filters } = cluster
  const { outlierDetection, subsets, localityAware } = cluster
  return {
    name,
    endpoints: (endpoints ?? found).map((endpoint) => ({
      ...endpoint,
      address: absoluteAddress(endpoint.address, folder),
    })),
    discovered: discovery !== null,
    loadBalancer: compileLoadBalancer(cluster.loadBalancer),
    hashOn: (cluster.loadBalancer.hashOn ?? []).map(compileRequestKey),
    connectTimeoutMs: connectTimeout,
    keepAlive: compileKeepAlive(keepAlive),
    tcpKeepAlive: tcpKeepAlive === null ? null : compileTcpKeepAlive(tcpKeepAlive),
    dns: discovery?.type === 'dns' ? compileDns(discovery) : null,
    healthCheck: healthCheck === null ? null : compileHealthCheck(healthCheck),
    outlierDetection: outlierDetection === null ? null : compileOutlierDetection(outlierDetection),
    circuitBreaker: circuitBreaker === null ? null : compileCircuitBreaker(circuitBreaker),
    adaptiveConcurrency: adaptiveConcurrency === null ? null : compileAdaptiveConcurrency(adaptiveConcurrency),
    hedge: hedge === null ? null : compileHedge(hedge),
    retryBudget,
    filters: filters.map((filter) => compileFilter(filter, folder, scripts)),
    subsets: subsets && compileSubsets(subsets),
    localityAware: localityAware && compileLocality(localityAware),
    panicThreshold: cluster.panicThreshold,
    overProvisioning: cluster.overProvisioning,
  } satisfies Cluster
}

function compileHedge({ afterPercentile, minDelay, maxExtraPercent }: NonNullable<ResolvedCluster['hedge']>): Hedge {
  return { afterPercentile, minDelayMs: minDelay, maxExtraPercent } satisfies Hedge
}

function compileSubsets({ keys, fallback }: NonNullable<ResolvedCluster['subsets']>): Subsets {
  return { keys, fallback: typeof fallback === 'string' ? fallback : { default: fallback.labels } } satisfies Subsets
}

function compileLocality(locality: NonNullable<ResolvedCluster['localityAware']>): LocalityAware | null {
  const { mode, minEndpoints, weights, failover } = locality
  if (mode === 'off' && failover.length === 0) return null
  return { mode, minEndpoints, weights, failover } satisfies LocalityAware
}

function compileKeepAlive({ idleTimeout, maxRequestsPerConnection }: ResolvedCluster['keepAlive']): KeepAlive {
  return { idleTimeoutMs: idleTimeout === 'learned' ? null : idleTimeout, maxRequestsPerConnection } satisfies KeepAlive
}

function compileTcpKeepAlive(options: NonNullable<ResolvedCluster['tcpKeepAlive']>): TcpKeepAlive {
  const { time, interval, probes, userTimeout } = options
  return {
    timeS: Math.ceil(time / 1000),
    intervalS: Math.ceil(interval / 1000),
    probes,
    userTimeoutMs: userTimeout,
  } satisfies TcpKeepAlive
}

/** SRV records bring their ports: none is configured. */
function compileDns(discovery: Extract<ResolvedCluster['discovery'], { type: 'dns' }>): Dns {
  const { name, port = 0, record, logical, refresh, resolvers } = discovery
  return { name, port, record, single: logical, refreshMs: refresh, resolvers } satisfies Dns
}

function compileHealthCheck(check: NonNullable<ResolvedCluster['healthCheck']>): HealthCheck {
  return {
    http: check.http,
    intervalMs: check.interval,
    unhealthyIntervalMs: check.unhealthyInterval,
    unhealthyEdgeIntervalMs: check.unhealthyEdgeInterval,
    healthyEdgeIntervalMs: check.healthyEdgeInterval,
    noTrafficIntervalMs: check.noTrafficInterval,
    initialJitterMs: check.initialJitter,
    intervalJitterMs: check.intervalJitter,
    timeoutMs: check.timeout,
    healthyThreshold: check.healthyThreshold,
    unhealthyThreshold: check.unhealthyThreshold,
    reuseConnection: check.reuseConnection,
  } satisfies HealthCheck
}

function compileOutlierDetection(rules: NonNullable<ResolvedCluster['outlierDetection']>): OutlierDetection {
  return {
    shadow: rules.mode === 'shadow',
    consecutive5xx: rules.consecutive5xx,
    consecutiveGatewayErrors: rules.consecutiveGatewayErrors,
    consecutiveLocalErrors: rules.consecutiveLocalErrors,
    intervalMs: rules.interval,
    baseEjectionMs: rules.baseEjection,
    maxEjectionMs: rules.maxEjection,
    ejectionJitterMs: rules.ejectionJitter,
    maxEjectionPercent: rules.maxEjectionPercent,
    ejectLast: rules.ejectLast,
    returnOnHealthCheck: rules.returnOnHealthCheck,
    successRate: rules.successRate,
    failurePercentage: rules.failurePercentage,
  } satisfies OutlierDetection
}

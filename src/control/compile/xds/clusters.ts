/** Clusters and their endpoints. */
import type { CircuitBreakers_ThresholdsJson } from '../../xds/protos/envoy/config/cluster/v3/circuit_breaker_pb.js'
import type {
  Cluster_LbPolicyJson,
  Cluster_SlowStartConfigJson,
  ClusterJson,
} from '../../xds/protos/envoy/config/cluster/v3/cluster_pb.js'
import type { OutlierDetectionJson } from '../../xds/protos/envoy/config/cluster/v3/outlier_detection_pb.js'
import type { TransportSocketJson } from '../../xds/protos/envoy/config/core/v3/base_pb.js'
import type { Http2ProtocolOptionsJson } from '../../xds/protos/envoy/config/core/v3/protocol_pb.js'
import type {
  LbEndpointJson,
  LocalityLbEndpointsJson,
} from '../../xds/protos/envoy/config/endpoint/v3/endpoint_components_pb.js'
import type { ClusterLoadAssignmentJson } from '../../xds/protos/envoy/config/endpoint/v3/endpoint_pb.js'
import {
  type HttpProtocolOptionsJson,
  HttpProtocolOptionsSchema,
} from '../../xds/protos/envoy/extensions/upstreams/http/v3/http_protocol_options_pb.js'
import type { MeshNode } from '../mesh/node.js'
import type { Cluster, ClusterEndpoints, LoadBalancer, Locality, OutlierDetection } from '../nouns.js'
import { pack, present, seconds } from './any.js'
import { afterProxyHeader } from './proxy-protocol.js'
import { fromAds, upstreamTls } from './tls.js'

const lbPolicies = {
  'least-request': 'LEAST_REQUEST',
  random: 'RANDOM',
  'round-robin': 'ROUND_ROBIN',
  'ring-hash': 'RING_HASH',
  maglev: 'MAGLEV',
} as const satisfies Record<LoadBalancer['policy'], Cluster_LbPolicyJson>

export function clusterJson(cluster: Cluster, plane: MeshNode['plane']): ClusterJson {
  const { discovery, tcpKeepAlive, outlierDetection } = cluster
  return present<ClusterJson>({
    name: cluster.name,
    ...(discovery.type === 'mesh'
      ? { type: 'EDS', edsClusterConfig: { edsConfig: fromAds } }
      : {
          type: plane === 'grpc' ? 'LOGICAL_DNS' : 'STRICT_DNS',
          loadAssignment: dnsAssignment(cluster.name, discovery.endpoints),
        }),
    connectTimeout: seconds(cluster.connectTimeoutMs),
    ...balancer(cluster.loadBalancer),
    circuitBreakers: { thresholds: [thresholds(cluster)] },
    outlierDetection: outlierDetection === null ? null : outliers(outlierDetection),
    ...transportSockets(cluster, plane),
    typedExtensionProtocolOptions:
      plane === 'grpc'
        ? null
        : {
            'envoy.extensions.upstreams.http.v3.HttpProtocolOptions': pack(
              HttpProtocolOptionsSchema,
              protocolOptions(cluster),
            ),
          },
    commonLbConfig: commonLb(cluster),
    upstreamConnectionOptions:
      tcpKeepAlive === null
        ? null
        : {
            tcpKeepalive: present({
              keepaliveProbes: tcpKeepAlive.probes,
              keepaliveTime: tcpKeepAlive.timeSeconds,
              keepaliveInterval: tcpKeepAlive.intervalSeconds,
            }),
          },
  })
}

/** A gRPC client knows one way for a whole cluster: mutual TLS, which all take but those that refuse it. */
function transportSockets({ tls, protocol, proxyProtocol }: Cluster, plane: MeshNode['plane']): Partial<ClusterJson> {
  const wrapped = (inner: TransportSocketJson | null) => {
    const socket = proxyProtocol === null || plane === 'grpc' ? inner : afterProxyHeader(proxyProtocol, inner)
    return socket === null ? {} : { transportSocket: socket }
  }
  const inner = tls === null ? null : upstreamTls(tls, protocol, plane)
  if (tls?.byEndpoint == null || plane === 'grpc') return wrapped(inner)
  return { ...wrapped(null), transportSocketMatches: [{ name: 'mutual', match: { mutual: true }, ...wrapped(inner) }] }
}

function balancer({ policy, minRing, tableSize, slowStart }: LoadBalancer): Partial<ClusterJson> {
  const lbPolicy = lbPolicies[policy]
  if (minRing !== null) return { lbPolicy, ringHashLbConfig: { minimumRingSize: String(minRing) } }
  if (tableSize !== null) return { lbPolicy, maglevLbConfig: { tableSize: String(tableSize) } }
  if (slowStart === null) return { lbPolicy }
  const slowStartConfig: Cluster_SlowStartConfigJson = {
    slowStartWindow: seconds(slowStart.windowMs),
    aggression: { defaultValue: slowStart.aggression, runtimeKey: 'weft.slow_start.aggression' },
    minWeightPercent: { value: slowStart.minWeightPercent },
  }
  if (policy === 'least-request') return { lbPolicy, leastRequestLbConfig: { slowStartConfig } }
  return policy === 'round-robin' ? { lbPolicy, roundRobinLbConfig: { slowStartConfig } } : { lbPolicy }
}

/** Envoy lets a retry budget replace the fixed limit; where people set the limit, it holds. */
function thresholds({ circuitBreaker, retryBudget }: Cluster): CircuitBreakers_ThresholdsJson {
  const { maxConnections, maxPending, maxRequests, maxRetries } = circuitBreaker
  const budget = { budgetPercent: { value: retryBudget.percent }, minRetryConcurrency: retryBudget.minConcurrency }
  return present<CircuitBreakers_ThresholdsJson>({
    maxConnections,
    maxPendingRequests: maxPending,
    maxRequests,
    maxRetries,
    retryBudget: maxRetries === null ? budget : null,
  })
}

/** What is not set keeps Envoy's default; ejecting by success rate is off, as in Istio: nobody asked for it. */
function outliers(outlier: OutlierDetection): OutlierDetectionJson {
  const gateway = outlier.consecutiveGatewayErrors
  const on = (count: number | null) => (count === null ? null : count > 0 ? 100 : 0)
  return present<OutlierDetectionJson>({
    consecutive5xx: outlier.consecutive5xx === 0 ? null : outlier.consecutive5xx,
    enforcingConsecutive5xx: outlier.consecutive5xx === 0 ? 0 : null,
    consecutiveGatewayFailure: gateway === 0 ? null : gateway,
    enforcingConsecutiveGatewayFailure: on(gateway),
    splitExternalLocalOriginErrors: outlier.splitLocalErrors ? true : null,
    consecutiveLocalOriginFailure: outlier.consecutiveLocalErrors,
    interval: outlier.intervalMs === null ? null : seconds(outlier.intervalMs),
    baseEjectionTime: outlier.baseEjectionMs === null ? null : seconds(outlier.baseEjectionMs),
    maxEjectionPercent: outlier.maxEjectionPercent,
    enforcingSuccessRate: 0,
  })
}

function protocolOptions({ protocol, keepAlive }: Cluster): HttpProtocolOptionsJson {
  const { idleTimeoutMs, maxRequests, maxAgeMs, maxStreams, pings } = keepAlive
  const http2ProtocolOptions = present<Http2ProtocolOptionsJson>({
    maxConcurrentStreams: maxStreams,
    connectionKeepalive:
      pings === null ? null : { interval: seconds(pings.intervalMs), timeout: seconds(pings.timeoutMs) },
  })
  const common = present({
    idleTimeout: idleTimeoutMs === null ? null : seconds(idleTimeoutMs),
    maxConnectionDuration: maxAgeMs === null ? null : seconds(maxAgeMs),
    maxRequestsPerConnection: maxRequests === 0 ? null : maxRequests,
  })
  const commonHttpProtocolOptions = Object.keys(common).length === 0 ? {} : { commonHttpProtocolOptions: common }
  if (protocol === 'downstream')
    return {
      ...commonHttpProtocolOptions,
      useDownstreamProtocolConfig: { httpProtocolOptions: {}, http2ProtocolOptions },
    }
  const explicitHttpConfig = protocol === 'http2' ? { http2ProtocolOptions } : { httpProtocolOptions: {} }
  return { ...commonHttpProtocolOptions, explicitHttpConfig }
}

/** An Envoy that knows the zones of its own service looks at zones wherever it is not told otherwise. */
function localityConfig(spread: Cluster['spread']): ClusterJson['commonLbConfig'] {
  if (spread === null) return {}
  if (spread.type === 'weighted') return { localityWeightedLbConfig: {} }
  if (spread.type === 'alike') return { zoneAwareLbConfig: { routingEnabled: { value: 0 } } }
  const { minEndpoints } = spread
  return { zoneAwareLbConfig: minEndpoints === null ? {} : { minClusterSize: String(minEndpoints) } }
}

function commonLb({ spread, outlierDetection }: Cluster): ClusterJson['commonLbConfig'] | null {
  const panic = outlierDetection?.minHealthPercent ?? null
  if (spread === null && panic === null) return null
  return {
    ...localityConfig(spread),
    ...(panic === null ? {} : { healthyPanicThreshold: { value: panic } }),
  }
}

export function assignmentJson({ cluster, localities }: ClusterEndpoints): ClusterLoadAssignmentJson {
  const endpoints = localities.map(localityJson).filter(({ lbEndpoints }) => (lbEndpoints?.length ?? 0) > 0)
  return endpoints.length === 0 ? { clusterName: cluster } : { clusterName: cluster, endpoints }
}

/** What a cluster's `transportSocketMatches` look for. */
const mutualMetadata = { filterMetadata: { 'envoy.transport_socket_match': { mutual: true } } }

/** An endpoint of weight 0 takes nothing, so it is not told. */
function localityJson({ region, zone, priority, weight, endpoints }: Locality): LocalityLbEndpointsJson {
  const lbEndpoints = endpoints
    .filter((endpoint) => endpoint.weight > 0)
    .map(
      ({ address, port, weight: loadBalancingWeight, healthy, draining, mutual }): LbEndpointJson => ({
        endpoint: { address: { socketAddress: { address, portValue: port } } },
        healthStatus: draining ? 'DRAINING' : healthy ? 'HEALTHY' : 'UNHEALTHY',
        loadBalancingWeight,
        ...(mutual === true ? { metadata: mutualMetadata } : {}),
      }),
    )
  return {
    locality: present({ region: region === '' ? null : region, zone: zone === '' ? null : zone }),
    priority,
    // gRPC leaves out a locality without weight.
    loadBalancingWeight: weight ?? endpoints.reduce((sum, endpoint) => sum + endpoint.weight, 0),
    lbEndpoints,
  }
}

function dnsAssignment(
  clusterName: string,
  endpoints: { host: string; port: number; weight: number }[],
): ClusterLoadAssignmentJson {
  const lbEndpoints = endpoints.map(
    ({ host, port, weight }): LbEndpointJson => ({
      endpoint: { address: { socketAddress: { address: host, portValue: port } } },
      loadBalancingWeight: Math.max(1, weight),
    }),
  )
  return { clusterName, endpoints: [{ locality: {}, lbEndpoints }] }
}

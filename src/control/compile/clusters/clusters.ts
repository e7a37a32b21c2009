/** A service, its port and perhaps a subset as a cluster: defaults, then what DestinationRules say. */
import type { TrafficPolicyParts } from '../../resources/traffic-policy.js'
import { type MeshFinding, originOf } from '../finding.js'
import { attachments } from '../mesh/attachments.js'
import { type Carried, carrying, clusterName, keep, type Mesh } from '../mesh/mesh.js'
import { type ServiceDefinition, type ServicePort, takesConnections } from '../mesh/services.js'
import type { Cluster, ConnectionLimits, HashOn, LoadBalancer, Tunnel } from '../nouns.js'
import { chooseBackendTls } from './backend-tls.js'
import { clusterTls } from './client-tls.js'
import { wrapping } from './connection-wrapping.js'
import { forWorkloads } from './credentials.js'
import { type Client, chooseRule, effectivePolicy } from './destination-rules.js'
import { type LocalityOrder, localityOrder } from './locality-order.js'
import { plainRetryBudget } from './plain-cluster.js'
import { connectionLimits, outliers, poolFields } from './pool.js'
import { withoutEffect } from './rule-findings.js'
import { spread } from './zone-aware.js'

export interface CompiledCluster {
  cluster: Cluster
  service: ServiceDefinition
  port: ServicePort
  /** Labels that an endpoint must have; null: all endpoints. */
  subset: Record<string, string> | null
  /** Null: all endpoints are equal. */
  order: LocalityOrder | null
  /** For connections that are forwarded whole. */
  limits: ConnectionLimits
  /** Has no endpoints, whatever there is. */
  isClosed: boolean
  /** For connections that it carries. */
  tunnel: Tunnel | null
  /** The DestinationRule is for some workloads and no others. */
  selectsWorkloads: boolean
  findings: MeshFinding[]
}

export interface ClusterQuery {
  service: ServiceDefinition
  port: ServicePort
  subset: string | undefined
  client: Client
  carried?: Carried
}

export function compileCluster(mesh: Mesh, query: ClusterQuery): CompiledCluster {
  const name = carrying(clusterName(query.service, query.port, query.subset), query.carried ?? 'requests')
  return keep(mesh, `cluster ${name} for ${query.client.key}`, () => {
    const compiled = build(mesh, name, query)
    return query.client.isGateway ? compiled : forWorkloads(compiled)
  })
}

function build(mesh: Mesh, name: string, query: ClusterQuery): CompiledCluster {
  const { service, port, subset, client, carried = 'requests' } = query
  const { rule, inherited, findings } = chooseRule(mesh, service, client)
  const chosen = rule?.spec.subsets.find((one) => one.name === subset)
  const policy = effectivePolicy(rule?.spec.trafficPolicy, chosen?.trafficPolicy, port.number)
  const { loadBalancer, connectionPool, outlierDetection, tls } = policy.parts
  const outside = chooseBackendTls(mesh, { service, port, rule: tls === undefined ? null : rule })
  const order = localityOrder(policy.parts)
  const { connectTimeoutMs, circuitBreaker, keepAlive, tcpKeepAlive } = poolFields(connectionPool)
  const { http } = connectionPool ?? {}
  const { tunnel, proxyProtocol } = wrapping(policy)
  // What is passed through is TLS already, between the client and the endpoint; in a tunnel it is inside of ours.
  const passing = carried === 'tls' && tunnel === null
  // A subset that only other clients know is not the whole service.
  const isClosed = (outside.isClosed && !passing) || (subset !== undefined && chosen === undefined)
  const grpc = attachments(mesh).grpcServices.has(service.key) && port.name === 'main'
  const http2 = port.protocol === 'http2' || grpc || http?.h2UpgradePolicy === 'UPGRADE'
  const requested = http?.useClientProtocol ? 'downstream' : spoken(port, http2)
  const cluster: Cluster = {
    name,
    protocol: carried === 'requests' ? requested : carried === 'grpc' || (tunnel !== null && http2) ? 'http2' : 'tcp',
    discovery:
      service.dns && !isClosed ? { type: 'dns', endpoints: dnsEndpoints(mesh, service, port) } : { type: 'mesh' },
    connectTimeoutMs,
    loadBalancer: balancer(loadBalancer),
    circuitBreaker,
    retryBudget: {
      percent: policy.retryBudget?.percent ?? plainRetryBudget.percent,
      minConcurrency: policy.retryBudget?.minRetryConcurrency ?? plainRetryBudget.minConcurrency,
    },
    outlierDetection: outlierDetection === undefined ? null : outliers(outlierDetection),
    keepAlive,
    tcpKeepAlive,
    tls: passing ? null : (outside.tls ?? clusterTls(mesh, service, tls, client.namespace)),
    proxyProtocol,
    spread: spread(mesh, policy.parts),
    origins: [
      ...(rule === null ? [] : [originOf(rule.resource, 'spec')]),
      ...(inherited === null ? [] : [originOf(inherited, 'spec')]),
      ...(outside.origin === null ? [] : [outside.origin]),
      ...(service.entry === null ? [] : [originOf(service.entry, 'spec')]),
    ],
  }
  const idle = rule === null ? [] : withoutEffect(cluster, service, { rule, parts: policy.parts })
  return {
    ...{ cluster, service, port, subset: chosen?.labels ?? null, order },
    ...{ limits: connectionLimits(connectionPool), isClosed, tunnel },
    selectsWorkloads: rule?.spec.workloadSelector !== undefined,
    findings: [...findings, ...outside.findings, ...idle],
  }
}

function spoken(port: ServicePort, http2: boolean): Cluster['protocol'] {
  if (http2) return 'http2'
  return takesConnections(port) ? 'tcp' : 'http1'
}

const policies = {
  LEAST_REQUEST: 'least-request',
  LEAST_CONN: 'least-request',
  UNSPECIFIED: 'least-request',
  RANDOM: 'random',
  ROUND_ROBIN: 'round-robin',
} as const

function balancer(written: TrafficPolicyParts['loadBalancer']): LoadBalancer {
  const hash = written?.consistentHash
  const warmup = written?.warmup
  return {
    policy:
      hash === undefined
        ? policies[written?.simple ?? 'LEAST_REQUEST']
        : hash.maglev === undefined
          ? 'ring-hash'
          : 'maglev',
    hashOn: hash === undefined ? null : hashOn(hash),
    minRing: hash === undefined || hash.maglev !== undefined ? null : (hash.ringHash?.minimumRingSize ?? 1024),
    tableSize: hash?.maglev?.tableSize ?? null,
    slowStart:
      warmup === undefined
        ? null
        : { windowMs: warmup.duration, minWeightPercent: warmup.minimumPercent, aggression: warmup.aggression },
  }
}

function hashOn(hash: NonNullable<NonNullable<TrafficPolicyParts['loadBalancer']>['consistentHash']>): HashOn {
  if (hash.httpHeaderName !== undefined) return { header: hash.httpHeaderName.toLowerCase() }
  if (hash.httpCookie !== undefined) {
    const { name, path, ttl, attributes } = hash.httpCookie
    return { cookie: name, path: path ?? null, ttlMs: ttl ?? null, attributes }
  }
  return hash.httpQueryParameterName === undefined ? { clientAddress: true } : { query: hash.httpQueryParameterName }
}

function dnsEndpoints(mesh: Mesh, service: ServiceDefinition, port: ServicePort) {
  const endpoints = mesh.services.get(service.key)?.endpoints ?? []
  return endpoints.map(({ address, ports, weight }) => ({
    host: address,
    port: ports[port.name] ?? port.number ?? 0,
    weight,
  }))
}

/** A cluster that no resource says anything about. */
import type { Cluster } from '../nouns.js'

export const plainConnectTimeoutMs = 1000
export const plainRetryBudget: Cluster['retryBudget'] = { percent: 20, minConcurrency: 3 }

export function plainCluster(name: string, protocol: Cluster['protocol']): Cluster {
  return {
    name,
    protocol,
    discovery: { type: 'mesh' },
    connectTimeoutMs: plainConnectTimeoutMs,
    loadBalancer: { policy: 'round-robin', hashOn: null, minRing: null, tableSize: null, slowStart: null },
    circuitBreaker: { maxConnections: null, maxPending: null, maxRequests: null, maxRetries: null },
    retryBudget: plainRetryBudget,
    outlierDetection: null,
    keepAlive: { idleTimeoutMs: null, maxRequests: null, maxAgeMs: null, maxStreams: null, pings: null },
    tcpKeepAlive: null,
    tls: null,
    proxyProtocol: null,
    spread: null,
    origins: [],
  }
}

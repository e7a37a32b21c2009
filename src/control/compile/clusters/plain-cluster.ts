/** A cluster that no resource says anything about. */
import type { Cluster } from '../nouns.js'

export function plainCluster(name: string, protocol: Cluster['protocol']): Cluster {
  return {
    name,
    protocol,
    discovery: { type: 'mesh' },
    connectTimeoutMs: 1000,
    loadBalancer: { policy: 'round-robin', hashOn: null, minRing: null, tableSize: null, slowStart: null },
    circuitBreaker: { maxConnections: null, maxPending: null, maxRequests: null, maxRetries: null },
    retryBudget: { percent: 20, minConcurrency: 3 },
    outlierDetection: null,
    keepAlive: { idleTimeoutMs: null, maxRequests: null, maxAgeMs: null, maxStreams: null, pings: null },
    tcpKeepAlive: null,
    tls: null,
    proxyProtocol: null,
    spread: null,
    origins: [],
  }
}

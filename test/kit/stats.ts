/** Statistics with every field, for tests that care about a few. */
import type { ClusterStats, EndpointStats, Series, Stats } from '../../src/native/index.js'

export function statsOf(change: Partial<Stats> = {}): Stats {
  return {
    name: 'weft',
    generation: 1,
    draining: false,
    counters: {},
    descriptions: [],
    durationBoundsMs: [],
    sizeBounds: [],
    clusterDescriptions: [],
    series: [],
    routes: [],
    workers: [],
    listeners: [],
    clusters: [],
    filters: [],
    faults: [],
    mirrors: [],
    switches: [],
    ...change,
  }
}

export function seriesOf(change: Partial<Series> = {}): Series {
  return {
    listener: 'edge',
    route: 'all',
    cluster: 'app',
    status: 200,
    flag: '-',
    requests: 0,
    requestBytes: 0,
    responseBytes: 0,
    durationSumUs: 0,
    buckets: [],
    requestSizes: [],
    responseSizes: [],
    ...change,
  }
}

export function clusterOf(name: string, endpoints: Partial<EndpointStats>[], counters = {}): ClusterStats {
  const empty = {
    address: '',
    active: 0,
    requests: 0,
    failures: 0,
    serverErrors: 0,
    weight: 1,
    priority: 0,
    zone: '',
    healthy: true,
    health: 'unchecked',
    degraded: false,
    ejected: null,
    breaker: null,
    idle: 0,
    closesIdleAfterMs: null,
    latency: [],
    concurrency: [],
  }
  const none = { ejections: { counts: [], withheld: 0 }, trips: [], groups: [], concurrency: null }
  return { name, counters, ...none, dns: null, endpoints: endpoints.map((endpoint) => ({ ...empty, ...endpoint })) }
}

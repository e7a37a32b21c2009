/**
 * What a program sees of its proxy's counts: by name, in plain values that can be logged, sent or kept. Made from the
 * engine's own report, which is made for exporters.
 *
 * Invariant: every count is exact; a duration is at most 3 % off, as the engine keeps them.
 */
import type { Histograms } from '../admin/endpoint.js'
import type { Durations, Series, Stats } from '../native/index.js'

export interface ProxyStats {
  generation: number
  draining: boolean
  /** Of the proxy as a whole, under the names of its metrics. */
  counters: Record<string, number>
  listeners: Record<string, ListenerStats>
  routes: Record<string, RouteStats>
  clusters: Record<string, ClusterStats>
}

export interface RequestStats {
  /** Requests that have had their answer, whoever gave it. */
  requests: number
  /** How many of them by status code; 0 counts those whose client left before. */
  statuses: Record<number, number>
  /** Body bytes. */
  requestBytes: number
  responseBytes: number
}

export interface ListenerStats extends RequestStats {
  /** Where it really listens. */
  address: string
}

export interface RouteStats extends RequestStats {
  /** From a request's head to the end of its answer. */
  latency: Latency
}

export interface ClusterStats extends RequestStats {
  /** Under the names of its metrics. */
  counters: Record<string, number>
  /** From the begin of an attempt to the answer's first byte, over the endpoints in force. */
  latency: Latency
  /** By address. */
  endpoints: Record<string, EndpointStats>
}

export interface EndpointStats {
  weight: number
  /** Whether requests may be sent to it. */
  healthy: boolean
  /** What its health check found last: `unchecked`, `pending`, `healthy` or `unhealthy`. */
  health: string
  /** Attempts, the failed ones included. */
  requests: number
  /** Attempts without an answer. */
  failures: number
  /** Answers with a status of 500 or above. */
  serverErrors: number
  /** Attempts under way. */
  active: number
  /** Connections that wait for a request. */
  idle: number
  latency: Latency
}

/** Durations in microseconds; null where nothing was measured yet. */
export interface Latency {
  count: number
  p50Us: number | null
  p90Us: number | null
  p99Us: number | null
  maxUs: number | null
  /** The whole distribution as an HDR histogram: V2, compressed, base64, as `decodeFromCompressedBase64` of hdr-histogram-js reads it. */
  hdr: string | null
}

export function proxyStats(stats: Stats, histograms: Histograms): ProxyStats {
  const { generation, draining, counters, series, listeners, routes, clusters } = stats
  const hdrOfRoute = new Map(histograms.routes.map(({ route, hdr }) => [route, hdr]))
  return {
    generation,
    draining,
    counters,
    listeners: keyed(listeners, ({ name, address }) => {
      return [name, { address, ...requestsOf(series.filter(({ listener }) => listener === name)) }]
    }),
    routes: keyed(routes, ({ route: name, latency }) => {
      const requests = requestsOf(series.filter(({ route }) => route === name))
      return [name, { ...requests, latency: latencyOf(latency, hdrOfRoute.get(name)) }]
    }),
    clusters: keyed(clusters, (cluster) => {
      const requests = requestsOf(series.filter((row) => row.cluster === cluster.name))
      return [cluster.name, { ...requests, ...clusterStats(cluster, histograms) }]
    }),
  }
}

function clusterStats({ name, counters, endpoints }: Stats['clusters'][number], histograms: Histograms) {
  const hdr = histograms.clusters.find(({ cluster }) => cluster === name)?.hdr
  const hdrs = histograms.endpoints.filter(({ cluster }) => cluster === name)
  const hdrOfEndpoint = new Map(hdrs.map((entry) => [entry.endpoint, entry.hdr]))
  return {
    counters,
    latency: latencyOf(sumOf(endpoints.map(({ latency }) => latency)), hdr),
    endpoints: keyed(endpoints, (endpoint) => {
      const { address, weight, healthy, health, requests, failures, serverErrors, active, idle } = endpoint
      const latency = latencyOf(endpoint.latency, hdrOfEndpoint.get(address))
      return [address, { weight, healthy, health, requests, failures, serverErrors, active, idle, latency }]
    }),
  }
}

function keyed<Entry, Value>(entries: Entry[], of: (entry: Entry) => [string, Value]): Record<string, Value> {
  return Object.fromEntries(entries.map(of))
}

function requestsOf(rows: Series[]): RequestStats {
  const sum: RequestStats = { requests: 0, statuses: {}, requestBytes: 0, responseBytes: 0 }
  for (const { status, requests, requestBytes, responseBytes } of rows) {
    sum.requests += requests
    sum.statuses[status] = (sum.statuses[status] ?? 0) + requests
    sum.requestBytes += requestBytes
    sum.responseBytes += responseBytes
  }
  return sum
}

function sumOf(all: Durations[]): Durations {
  const sums = new Map<number, number>()
  for (const [us, count] of all.flat()) sums.set(us, (sums.get(us) ?? 0) + count)
  return [...sums].sort(([left], [right]) => left - right)
}

function latencyOf(durations: Durations, hdr: string | undefined): Latency {
  const count = durations.reduce((total, [, times]) => total + times, 0)
  const at = (share: number) => durationAt(durations, Math.ceil(share * count))
  return { count, p50Us: at(0.5), p90Us: at(0.9), p99Us: at(0.99), maxUs: at(1), hdr: hdr ?? null }
}

/** The duration that so many did not exceed. */
function durationAt(durations: Durations, rank: number): number | null {
  let seen = 0
  for (const [us, count] of durations) {
    seen += count
    if (seen >= rank) return us
  }
  return null
}

/** Makes the counts that a program sees from the engine's own report, which is made for exporters. Pure. */
import type { Histograms } from '../admin/endpoint.js'
import type { Durations, Spell as EngineSpell, Series, Stats } from '../native/index.js'
import type { Latency, ProxyStats, RequestStats, Spell } from './proxy-stats.js'

export function statsByName(stats: Stats, histograms: Histograms): ProxyStats {
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
      const { address, weight, healthy, health, degraded, requests, failures, serverErrors, active, idle } = endpoint
      const latency = latencyOf(endpoint.latency, hdrOfEndpoint.get(address))
      const [ejected, breaker] = [spellOf(endpoint.ejected), spellOf(endpoint.breaker)]
      const standing = { weight, healthy, health, degraded, ejected, breaker }
      return [address, { ...standing, requests, failures, serverErrors, active, idle, latency }]
    }),
  }
}

function spellOf(spell: EngineSpell | null): Spell | null {
  if (spell === null) return null
  const { sinceUnixUs, untilUnixUs, reason } = spell
  return { since: new Date(sinceUnixUs / 1000), until: new Date(untilUnixUs / 1000), reason }
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

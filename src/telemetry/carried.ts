/**
 * What the process before this one had counted, added to what this one counts: after a takeover no counter falls.
 *
 * Gauges are not added: connections and open exchanges of the old process are its own until it ends.
 */
import type { EndpointStats, Series, Stats } from '../native/index.js'

/** The part of the statistics that only grows. */
export type Counts = Pick<Stats, 'counters' | 'series' | 'clusters'>

export function countsOf({ counters, descriptions, series, clusters }: Stats): Counts {
  const growing = descriptions.filter(({ kind }) => kind === 'counter').map(({ name }) => [name, counters[name] ?? 0])
  return { counters: Object.fromEntries(growing), series, clusters }
}

/** A series or an endpoint that only the old process knew stays known, so that its sum does not vanish. */
export function withCarried(stats: Stats, before: Counts): Stats {
  const counters = { ...stats.counters }
  for (const [name, count] of Object.entries(before.counters))
    if (name in counters) counters[name] = (counters[name] ?? 0) + count
  return {
    ...stats,
    counters,
    series: merged(stats.series, before.series, seriesKey, addSeries),
    clusters: stats.clusters.map((cluster) => {
      const old = before.clusters.find(({ name }) => name === cluster.name)?.endpoints ?? []
      return { ...cluster, endpoints: cluster.endpoints.map((endpoint) => addEndpoint(endpoint, old)) }
    }),
  }
}

function merged<T>(now: T[], before: T[], key: (entry: T) => string, add: (a: T, b: T) => T): T[] {
  const sums = new Map(now.map((entry) => [key(entry), entry]))
  for (const entry of before) {
    const known = sums.get(key(entry))
    sums.set(key(entry), known === undefined ? entry : add(known, entry))
  }
  return [...sums.values()]
}

function seriesKey({ listener, route, cluster, status, flag }: Series): string {
  return JSON.stringify([listener, route, cluster, status, flag])
}

function addSeries(a: Series, b: Series): Series {
  return {
    ...a,
    requests: a.requests + b.requests,
    requestBytes: a.requestBytes + b.requestBytes,
    responseBytes: a.responseBytes + b.responseBytes,
    durationSumUs: a.durationSumUs + b.durationSumUs,
    buckets: a.buckets.map((count, at) => count + (b.buckets[at] ?? 0)),
  }
}

function addEndpoint(endpoint: EndpointStats, old: EndpointStats[]): EndpointStats {
  const known = old.find(({ address }) => address === endpoint.address)
  if (known === undefined) return endpoint
  const { requests, failures } = known
  return { ...endpoint, requests: endpoint.requests + requests, failures: endpoint.failures + failures }
}

/**
 * What the process before this one had counted, added to what this one counts: after a takeover no counter falls.
 *
 * Gauges are not added: connections and open exchanges of the old process are its own until it ends.
 */
import type { ClusterStats, Durations, EndpointStats, Series, Stats, Tally } from '../native/index.js'
import { addSeries } from './series-sum.js'

/** The part of the statistics that only grows. */
export type Counts = Pick<Stats, 'counters' | 'series' | 'routes' | 'clusters' | 'filters'>

export function countsOf({ counters, descriptions, series, routes, clusters, filters }: Stats): Counts {
  const growing = descriptions.filter(({ kind }) => kind === 'counter').map(({ name }) => [name, counters[name] ?? 0])
  return { counters: Object.fromEntries(growing), series, routes, clusters, filters }
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
    routes: merged(
      stats.routes,
      before.routes,
      ({ route }) => route,
      (a, b) => ({ ...a, latency: addDurations(a.latency, b.latency) }),
    ),
    filters: merged(
      stats.filters,
      before.filters,
      ({ name }) => name,
      (a, b) => ({ ...a, failures: a.failures + b.failures, answers: a.answers + b.answers }),
    ),
    clusters: stats.clusters.map((cluster) => {
      const old = before.clusters.find(({ name }) => name === cluster.name)
      return old === undefined ? cluster : addCluster(cluster, old)
    }),
  }
}

function addCluster(
  cluster: ClusterStats,
  old: Partial<ClusterStats> & Pick<ClusterStats, 'counters' | 'endpoints'>,
): ClusterStats {
  const counters = Object.entries(cluster.counters).map(([name, count]) => [name, count + (old.counters[name] ?? 0)])
  return {
    ...cluster,
    counters: Object.fromEntries(counters),
    ejections: {
      counts: addTally(cluster.ejections.counts, old.ejections?.counts),
      withheld: cluster.ejections.withheld + (old.ejections?.withheld ?? 0),
    },
    trips: addTally(cluster.trips, old.trips),
    endpoints: cluster.endpoints.map((endpoint) => addEndpoint(endpoint, old.endpoints)),
  }
}

/** A process of an earlier version counted none. */
function addTally(now: Tally, before: Tally = []): Tally {
  const old = new Map(before)
  return now.map(([word, count]) => [word, count + (old.get(word) ?? 0)])
}

function addDurations(a: Durations, b: Durations): Durations {
  const sums = new Map(a)
  for (const [us, count] of b) sums.set(us, (sums.get(us) ?? 0) + count)
  return [...sums].sort(([left], [right]) => left - right)
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

function addEndpoint(endpoint: EndpointStats, old: EndpointStats[]): EndpointStats {
  const known = old.find(({ address }) => address === endpoint.address)
  if (known === undefined) return endpoint
  return {
    ...endpoint,
    requests: endpoint.requests + known.requests,
    failures: endpoint.failures + known.failures,
    serverErrors: endpoint.serverErrors + known.serverErrors,
    latency: addDurations(endpoint.latency, known.latency),
  }
}

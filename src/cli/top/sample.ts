/**
 * What happened between two readings of the statistics: rates, success and percentiles by route and by endpoint. Pure.
 *
 * Invariant: a number that fell belongs to a process that began anew, and counts from zero.
 */
import type { Durations, EndpointStats, Stats } from '../../native/index.js'

export interface Row {
  /** Name of the route, or address of the endpoint. */
  name: string
  /** Name of the endpoint's cluster; empty for a route. */
  cluster: string
  requests: number
  perSecond: number
  /** Null when nothing was asked. */
  successPercent: number | null
  p50Ms: number | null
  p99Ms: number | null
  active: number
}

export interface Sample {
  /** Of the later reading. */
  time: string
  seconds: number
  generation: number
  connections: number
  total: Row
  /** The busiest first. */
  routes: Row[]
  endpoints: Row[]
}

/** One reading, and when it was taken, in ms of a clock that does not jump. */
export interface Reading {
  stats: Stats
  atMs: number
}

export function compare(before: Reading, after: Reading, time: Date): Sample {
  const seconds = Math.max(0.001, (after.atMs - before.atMs) / 1000)
  const routes = routeRows(before.stats, after.stats)
  const sum = (read: (row: Counted) => number) => routes.reduce((total, row) => total + read(row), 0)
  const latency = routes.reduce<Map<number, number>>((all, row) => add(all, row.latency), new Map())
  const counts = { requests: sum((row) => row.requests), failures: sum((row) => row.failures), latency, active: 0 }
  return {
    time: time.toISOString(),
    seconds,
    generation: after.stats.generation,
    connections: after.stats.workers.reduce((total, worker) => total + worker.connections, 0),
    total: row({ name: 'all', cluster: '', ...counts }, seconds),
    routes: routes.map((counted) => row(counted, seconds)).sort(busiest),
    endpoints: endpointRows(before.stats, after.stats)
      .map((counted) => row(counted, seconds))
      .sort(busiest),
  }
}

interface Counted {
  name: string
  cluster: string
  requests: number
  failures: number
  latency: Map<number, number>
  active: number
}

function routeRows(before: Stats, after: Stats): Counted[] {
  const [then, now] = [countRoutes(before), countRoutes(after)]
  return [...now].map(([name, { requests, failures, latency }]) => {
    const known = then.get(name) ?? { requests: 0, failures: 0, latency: [] }
    return {
      name,
      cluster: '',
      requests: grown(requests, known.requests),
      failures: grown(failures, known.failures),
      latency: difference(latency, known.latency),
      active: 0,
    }
  })
}

/** An exchange failed when the client got no answer, or one with a status of 500 or above. */
function countRoutes({ series, routes }: Stats) {
  const counts = new Map<string, { requests: number; failures: number; latency: Durations }>()
  for (const { route, status, requests } of series) {
    const latency = routes.find((known) => known.route === route)?.latency ?? []
    const sums = counts.get(route) ?? { requests: 0, failures: 0, latency }
    sums.requests += requests
    if (status === 0 || status >= 500) sums.failures += requests
    counts.set(route, sums)
  }
  return counts
}

function endpointRows(before: Stats, after: Stats): Counted[] {
  const failed = ({ failures, serverErrors }: EndpointStats) => failures + serverErrors
  return after.clusters.flatMap(({ name: cluster, endpoints }) => {
    const then = before.clusters.find(({ name }) => name === cluster)?.endpoints ?? []
    return endpoints.map((endpoint) => {
      const known = then.find(({ address }) => address === endpoint.address)
      return {
        name: endpoint.address,
        cluster,
        requests: grown(endpoint.requests, known?.requests ?? 0),
        failures: grown(failed(endpoint), known === undefined ? 0 : failed(known)),
        latency: difference(endpoint.latency, known?.latency ?? []),
        active: endpoint.active,
      }
    })
  })
}

function row({ name, cluster, requests, failures, latency, active }: Counted, seconds: number): Row {
  return {
    name,
    cluster,
    requests,
    perSecond: requests / seconds,
    successPercent: requests === 0 ? null : 100 * Math.max(0, 1 - failures / requests),
    p50Ms: percentile(latency, 0.5),
    p99Ms: percentile(latency, 0.99),
    active,
  }
}

function grown(now: number, then: number): number {
  return now >= then ? now - then : now
}

function difference(now: Durations, then: Durations): Map<number, number> {
  const known = new Map(then)
  const restarted = now.some(([us, count]) => count < (known.get(us) ?? 0))
  const counts = now.map(([us, count]) => [us, restarted ? count : count - (known.get(us) ?? 0)] as const)
  return new Map(counts.filter(([, count]) => count > 0))
}

function add(sums: Map<number, number>, more: Map<number, number>): Map<number, number> {
  for (const [us, count] of more) sums.set(us, (sums.get(us) ?? 0) + count)
  return sums
}

/** The duration that this share of all does not pass, in ms. */
export function percentile(counts: Map<number, number>, share: number): number | null {
  const ascending = [...counts].sort(([a], [b]) => a - b)
  const all = ascending.reduce((sum, [, count]) => sum + count, 0)
  let below = 0
  for (const [us, count] of ascending) {
    below += count
    if (below >= share * all) return us / 1000
  }
  return null
}

function busiest(a: Row, b: Row): number {
  return b.perSecond - a.perSecond || a.cluster.localeCompare(b.cluster) || a.name.localeCompare(b.name)
}

/** Clusters and their endpoints: what the engine counts for each, by the names of the engine's own list. */
import type { EndpointStats, Stats, Tally } from '../../native/index.js'
import { type Family, family, renderLabels, type Sample } from './family.js'

export function clusterFamilies({
  clusters,
  clusterDescriptions,
}: Pick<Stats, 'clusters' | 'clusterDescriptions'>): Family[] {
  const counters = clusterDescriptions.map(({ name, kind, help }) =>
    family(
      name,
      kind,
      help,
      clusters.flatMap(({ name: cluster, counters }) => {
        const value = counters[name]
        return value === undefined ? [] : [{ labels: renderLabels({ cluster }), value }]
      }),
    ),
  )
  return [
    ...counters,
    family(
      'weft_cluster_ejections_total',
      'counter',
      'Times that outlier detection ejected an endpoint, or would have in shadow mode.',
      clusters.flatMap(({ name, ejections }) => tallied(name, ejections.counts)),
    ),
    family(
      'weft_cluster_ejections_withheld_total',
      'counter',
      'Times that an endpoint was not ejected because as many were out as may.',
      clusters.map(({ name, ejections }) => ({
        labels: renderLabels({ cluster: name }),
        value: ejections.withheld,
      })),
    ),
    family(
      'weft_cluster_breaker_openings_total',
      'counter',
      "Times that an endpoint's breaker opened, or stayed open because the request that tried it failed.",
      clusters.flatMap(({ name, trips }) => tallied(name, trips)),
    ),
    ...gauges.map(({ name, help, read }) => family(name, 'gauge', help, gaugeSamples(clusters, read))),
  ]
}

/** Reasons that never came up make no series. */
function tallied(cluster: string, tally: Tally): Sample[] {
  const some = tally.filter(([, count]) => count > 0)
  return some.map(([reason, value]) => ({ labels: renderLabels({ cluster, reason }), value }))
}

interface Gauge {
  name: string
  help: string
  read: (endpoints: readonly EndpointStats[]) => number
}

const gauges: readonly Gauge[] = [
  { name: 'weft_cluster_endpoints', help: 'Endpoints of the cluster.', read: (endpoints) => endpoints.length },
  {
    name: 'weft_cluster_endpoints_healthy',
    help: 'Endpoints of the cluster that get requests: neither unhealthy, nor ejected, nor with an open breaker.',
    read: (endpoints) => endpoints.filter(({ healthy }) => healthy).length,
  },
  {
    name: 'weft_cluster_endpoints_ejected',
    help: 'Endpoints of the cluster that outlier detection has ejected.',
    read: (endpoints) => endpoints.filter(({ ejected }) => ejected !== null).length,
  },
  {
    name: 'weft_cluster_endpoints_breaker_open',
    help: 'Endpoints of the cluster whose breaker is open.',
    read: (endpoints) => endpoints.filter(({ breaker }) => breaker !== null).length,
  },
  {
    name: 'weft_cluster_endpoints_degraded',
    help: 'Endpoints of the cluster that are degraded: used when no other is up.',
    read: (endpoints) => endpoints.filter(({ degraded }) => degraded).length,
  },
  {
    name: 'weft_cluster_requests_active',
    help: 'Upstream attempts under way now.',
    read: (endpoints) => endpoints.reduce((sum, { active }) => sum + active, 0),
  },
  {
    name: 'weft_cluster_connections_idle',
    help: 'Connections waiting in the pool now.',
    read: (endpoints) => endpoints.reduce((sum, { idle }) => sum + idle, 0),
  },
]

function gaugeSamples(clusters: Stats['clusters'], read: Gauge['read']): Sample[] {
  return clusters.map(({ name, endpoints }) => ({ labels: renderLabels({ cluster: name }), value: read(endpoints) }))
}

export function endpointFamilies(clusters: Stats['clusters']): Family[] {
  const samples = (read: (endpoint: EndpointStats) => number): Sample[] =>
    clusters.flatMap(({ name, endpoints }) =>
      endpoints.map((endpoint) => ({
        labels: renderLabels({ cluster: name, endpoint: endpoint.address }),
        value: read(endpoint),
      })),
    )
  return [
    family(
      'weft_endpoint_requests_total',
      'counter',
      'Upstream attempts sent to the endpoint.',
      samples(({ requests }) => requests),
    ),
    family(
      'weft_endpoint_failures_total',
      'counter',
      'Upstream attempts that failed at the endpoint.',
      samples(({ failures }) => failures),
    ),
    family(
      'weft_endpoint_server_errors_total',
      'counter',
      'Answers of the endpoint with a status of 500 or above.',
      samples(({ serverErrors }) => serverErrors),
    ),
    family(
      'weft_endpoint_requests_active',
      'gauge',
      'Upstream attempts under way at the endpoint now.',
      samples(({ active }) => active),
    ),
    family(
      'weft_endpoint_connections_idle',
      'gauge',
      'Connections to the endpoint waiting in a pool now.',
      samples(({ idle }) => idle),
    ),
  ]
}

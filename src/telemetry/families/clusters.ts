/** Clusters and their endpoints: what the engine counts for each, by the names of the engine's own list. */
import type { EndpointStats, Stats } from '../../native/index.js'
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
    ...gauges.map(({ name, help, read }) => family(name, 'gauge', help, gaugeSamples(clusters, read))),
  ]
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
    help: 'Endpoints of the cluster that no health check holds for down.',
    read: (endpoints) => endpoints.filter(({ healthy }) => healthy).length,
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

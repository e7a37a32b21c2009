/**
 * Prometheus' text format 0.0.4 of the engine's statistics: `/stats/prometheus` and nothing else.
 *
 * Invariants: a pure function; every sample belongs to a family with one TYPE line; two series that would carry the
 * same labels are added up, since Prometheus refuses a page that has a sample twice. Names, kinds and help texts of
 * counters are the engine's own list. `istio_request_bytes` and `istio_response_bytes` are summaries without quantiles
 * (sum and count): the engine keeps no buckets of sizes.
 */

import type { EndpointStats, Series, Stats } from '../native/index.js'

/** What the exposition reads of the engine's statistics. */
export type ExposedStats = Omit<Stats, 'workers'> & {
  workers: readonly Pick<Stats['workers'][number], 'connections'>[]
}

type Description = Stats['descriptions'][number]

export interface ExpositionOptions {
  /** Which side of the call this proxy stands on, as Istio's label has it. */
  reporter?: 'source' | 'destination'
}

type Labels = Record<string, string>

interface Sample {
  /** Appended to the family's name: `_sum`, `_bucket` and the like. */
  suffix?: string
  labels: Labels
  value: number
}

interface Family {
  name: string
  type: 'counter' | 'gauge' | 'histogram' | 'summary'
  help: string
  samples: Sample[]
}

export function renderPrometheus(stats: ExposedStats, { reporter = 'source' }: ExpositionOptions = {}): string {
  const series = mergeSeries(stats.series, reporter)
  const families = [
    ...requestFamilies(series, stats.durationBoundsMs),
    ...stats.descriptions.map((description) => counterFamily(description, stats.counters)),
    ...endpointFamilies(stats.clusters),
    panicFamily(stats.clusters),
    workerFamily(stats.workers),
    family('weft_snapshot_generation', 'gauge', 'Generation of the snapshot in force.', [
      { labels: {}, value: stats.generation },
    ]),
  ]
  return families
    .filter(({ samples }) => samples.length > 0)
    .map(renderFamily)
    .join('')
}

interface LabelledSeries {
  labels: Labels
  sums: Series
}

/** Names are shown as Istio shows them (`unknown` for none), which can make one of two series. */
function mergeSeries(all: readonly Series[], reporter: string): LabelledSeries[] {
  const merged = new Map<string, LabelledSeries>()
  for (const series of all) {
    const labels = {
      reporter,
      listener: shown(series.listener),
      route: shown(series.route),
      destination_service: shown(series.cluster),
      response_code: String(series.status),
      response_flags: series.flag === '' ? '-' : series.flag,
    }
    const key = renderLabels(labels)
    const known = merged.get(key)
    merged.set(key, { labels, sums: known ? addSeries(known.sums, series) : series })
  }
  return [...merged.values()]
}

function shown(name: string): string {
  return name === '' || name === '-' ? 'unknown' : name
}

function addSeries(sums: Series, series: Series): Series {
  return {
    ...sums,
    requests: sums.requests + series.requests,
    requestBytes: sums.requestBytes + series.requestBytes,
    responseBytes: sums.responseBytes + series.responseBytes,
    durationSumUs: sums.durationSumUs + series.durationSumUs,
    buckets: sums.buckets.map((count, place) => count + (series.buckets[place] ?? 0)),
  }
}

function requestFamilies(series: readonly LabelledSeries[], boundsMs: readonly number[]): Family[] {
  const sumAndCount = (read: (sums: Series) => number): Sample[] =>
    series.flatMap(({ labels, sums }) => [
      { suffix: '_sum', labels, value: read(sums) },
      { suffix: '_count', labels, value: sums.requests },
    ])
  return [
    family(
      'istio_requests_total',
      'counter',
      'Exchanges finished.',
      series.map(({ labels, sums }) => ({ labels, value: sums.requests })),
    ),
    family(
      'istio_request_duration_milliseconds',
      'histogram',
      'Time from the first byte of the request to the end of the exchange.',
      series.flatMap(({ labels, sums }) => durationSamples(labels, sums, boundsMs)),
    ),
    family(
      'istio_request_bytes',
      'summary',
      'Body bytes of requests.',
      sumAndCount((sums) => sums.requestBytes),
    ),
    family(
      'istio_response_bytes',
      'summary',
      'Body bytes of answers.',
      sumAndCount((sums) => sums.responseBytes),
    ),
  ]
}

/** Buckets as Prometheus wants them: each holds what the ones below it hold. */
function durationSamples(labels: Labels, sums: Series, boundsMs: readonly number[]): Sample[] {
  let below = 0
  const buckets = sums.buckets.map((count, place) => {
    below += count
    const bound = boundsMs[place]
    return { suffix: '_bucket', labels: { ...labels, le: bound === undefined ? '+Inf' : String(bound) }, value: below }
  })
  return [
    ...buckets,
    { suffix: '_sum', labels, value: sums.durationSumUs / 1000 },
    { suffix: '_count', labels, value: sums.requests },
  ]
}

function counterFamily({ name, kind, help }: Description, counters: Record<string, number>): Family {
  const value = counters[name]
  return family(name, kind, help, value === undefined ? [] : [{ labels: {}, value }])
}

function endpointFamilies(clusters: ExposedStats['clusters']): Family[] {
  const samples = (read: (endpoint: EndpointStats) => number): Sample[] =>
    clusters.flatMap(({ name, endpoints }) =>
      endpoints.map((endpoint) => ({ labels: { cluster: name, endpoint: endpoint.address }, value: read(endpoint) })),
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

/** Only clusters that were ever without a healthy endpoint. */
function panicFamily(clusters: ExposedStats['clusters']): Family {
  return family(
    'weft_cluster_panic_picks_total',
    'counter',
    'Endpoints picked although none of their cluster was healthy.',
    clusters
      .filter(({ panics }) => panics > 0)
      .map(({ name, panics }) => ({ labels: { cluster: name }, value: panics })),
  )
}

function workerFamily(workers: ExposedStats['workers']): Family {
  return family(
    'weft_worker_connections_active',
    'gauge',
    'Client connections that the worker holds now.',
    workers.map(({ connections }, worker) => ({ labels: { worker: String(worker) }, value: connections })),
  )
}

function family(name: string, type: Family['type'], help: string, samples: Sample[]): Family {
  return { name, type, help, samples }
}

function renderFamily({ name, type, help, samples }: Family): string {
  const lines = samples.map(({ suffix = '', labels, value }) => `${name}${suffix}${renderLabels(labels)} ${value}\n`)
  return `# HELP ${name} ${escapeText(help)}\n# TYPE ${name} ${type}\n${lines.join('')}`
}

function renderLabels(labels: Labels): string {
  const pairs = Object.entries(labels).map(([name, value]) => `${name}="${escapeText(value).replaceAll('"', '\\"')}"`)
  return pairs.length === 0 ? '' : `{${pairs.join(',')}}`
}

function escapeText(text: string): string {
  return text.replaceAll('\\', '\\\\').replaceAll('\n', '\\n')
}

/**
 * Finished exchanges under the names and labels of Istio, so that its dashboards read them.
 *
 * Invariants: a label holds a name of the configuration, a status or a flag, never a raw path; two series that would carry
 * the same labels are added up, since Prometheus refuses a page that has a sample twice.
 */
import { type Direction, directionOfName } from '../../config/listeners/direction.js'
import type { Series } from '../../native/index.js'
import type { ExposedStats } from '../exposition.js'
import { addSeries } from '../series-sum.js'
import { type Family, family, histogramSamples, type Labels, renderLabels } from './family.js'

export function requestFamilies(
  stats: Pick<ExposedStats, 'listeners' | 'series' | 'durationBoundsMs' | 'sizeBounds'>,
  service: string,
): Family[] {
  const [durations, sizes] = [stats.durationBoundsMs.map(String), stats.sizeBounds.map(String)]
  const series = mergeSeries(stats, service)
  const histogram = (name: string, help: string, read: (sums: Series) => Parameters<typeof histogramSamples>[1]) =>
    family(
      name,
      'histogram',
      help,
      series.flatMap(({ labels, sums }) => histogramSamples(labels, read(sums))),
    )
  return [
    family(
      'istio_requests_total',
      'counter',
      'Exchanges finished.',
      series.map(({ labels, sums }) => ({ labels, value: sums.requests })),
    ),
    histogram(
      'istio_request_duration_milliseconds',
      'Time from the first byte of the request to the end of the exchange.',
      ({ buckets, durationSumUs }) => ({ counts: buckets, bounds: durations, sum: durationSumUs / 1000 }),
    ),
    histogram('istio_request_bytes', 'Body bytes of requests.', ({ requestSizes, requestBytes }) => ({
      counts: requestSizes,
      bounds: sizes,
      sum: requestBytes,
    })),
    histogram('istio_response_bytes', 'Body bytes of answers.', ({ responseSizes, responseBytes }) => ({
      counts: responseSizes,
      bounds: sizes,
      sum: responseBytes,
    })),
  ]
}

interface LabelledSeries {
  labels: string
  sums: Series
}

/** Names are shown as Istio shows them (`unknown` for none), which can make one of two series. */
function mergeSeries(
  { series: all, listeners }: Pick<ExposedStats, 'series' | 'listeners'>,
  service: string,
): LabelledSeries[] {
  const directions = new Map(listeners.map(({ name, direction }) => [name, direction]))
  const merged = new Map<string, LabelledSeries>()
  for (const series of all) {
    const labels = renderLabels(
      labelsOf(series, directions.get(series.listener) ?? directionOfName(series.listener), service),
    )
    const known = merged.get(labels)
    merged.set(labels, { labels, sums: known ? addSeries(known.sums, series) : series })
  }
  return [...merged.values()]
}

/** An inbound listener stands before this node's own service; all others call on its behalf. */
function labelsOf({ listener, route, cluster, status, flag }: Series, direction: Direction, service: string): Labels {
  const inbound = direction === 'inbound'
  return {
    reporter: inbound ? 'destination' : 'source',
    source_workload: inbound ? 'unknown' : shown(service),
    destination_workload: inbound ? shown(service) : 'unknown',
    destination_service: inbound && service !== '' ? service : shown(cluster),
    listener: shown(listener),
    route: shown(route),
    response_code: String(status),
    response_flags: flag === '' ? '-' : flag,
  }
}

function shown(name: string): string {
  return name === '' || name === '-' ? 'unknown' : name
}

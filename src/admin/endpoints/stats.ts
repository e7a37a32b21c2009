/** `/stats`: counters and request series for people, or as JSON; durations as HDR histograms. */
import { type AdminContext, type AdminEndpoint, columns, jsonAnswer, textAnswer } from '../endpoint.js'

export const stats: AdminEndpoint = {
  method: 'GET',
  path: '/stats',
  about: 'counters and request series; ?format=json, or hdr for histograms of durations',
  answer({ proxy }, query) {
    const format = query.get('format')
    if (format === 'hdr') return jsonAnswer(proxy.histograms())
    return format === 'json' ? jsonAnswer(proxy.stats()) : textAnswer(render(proxy))
  },
}

function render(proxy: AdminContext['proxy']): string {
  const { generation, counters, series, workers } = proxy.stats()
  const { state, replaced } = proxy.status()
  const process = [
    ['state', state],
    ['generation', generation],
    ['workers', workers.length],
    ['workers replaced', replaced],
    ['connections', workers.reduce((sum, worker) => sum + worker.connections, 0)],
    ...Object.entries(counters),
  ]
  const head = ['listener', 'route', 'cluster', 'status', 'flag', 'requests', 'mean ms', 'bytes in', 'bytes out']
  const rows = series.map((row) => [
    row.listener,
    row.route,
    row.cluster,
    row.status,
    row.flag === '' ? '-' : row.flag,
    row.requests,
    Number((row.durationSumUs / 1000 / Math.max(1, row.requests)).toFixed(2)),
    row.requestBytes,
    row.responseBytes,
  ])
  return rows.length === 0 ? columns(process) : `${columns(process)}\n${columns([head, ...rows])}`
}

/** `/stats/prometheus`: the same numbers in the exposition format of Prometheus. */
import { renderPrometheus } from '../../telemetry/exposition.js'
import type { AdminEndpoint } from '../endpoint.js'

export const statsPrometheus: AdminEndpoint = {
  method: 'GET',
  path: '/stats/prometheus',
  about: 'metrics for Prometheus',
  answer: ({ proxy }) => ({
    status: 200,
    headers: { 'content-type': 'text/plain; version=0.0.4; charset=utf-8', 'cache-control': 'no-store' },
    body: renderPrometheus(proxy.stats(), { service: proxy.plan().node.service }),
  }),
}

/** `/clusters`: what the proxy knows of each endpoint. */
import { type AdminEndpoint, columns, jsonAnswer, textAnswer } from '../endpoint.js'

export const clusters: AdminEndpoint = {
  method: 'GET',
  path: '/clusters',
  about: 'endpoints with their requests and failures; ?format=json',
  answer({ proxy }, query) {
    const { clusters } = proxy.stats()
    if (query.get('format') === 'json') return jsonAnswer(clusters)
    const rows = clusters.flatMap(({ name, endpoints }) =>
      endpoints.map((e) => [name, e.address, e.active, e.requests, e.failures, e.idle]),
    )
    return textAnswer(columns([['cluster', 'endpoint', 'active', 'requests', 'failures', 'idle'], ...rows]))
  },
}

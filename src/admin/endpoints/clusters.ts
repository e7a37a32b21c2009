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
      endpoints.map((e) => [name, e.address, e.health, e.active, e.requests, e.failures, e.idle]),
    )
    const failing = clusters.flatMap(({ name, dns }) =>
      dns === null || dns.error === null ? [] : [`${name}: the last lookup of ${dns.name} failed: ${dns.error}\n`],
    )
    const names = ['cluster', 'endpoint', 'health', 'active', 'requests', 'failures', 'idle']
    return textAnswer(columns([names, ...rows]) + failing.join(''))
  },
}

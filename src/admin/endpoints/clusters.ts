/** `/clusters`: what the proxy knows of each endpoint, and how groups of them share requests as of now. */
import { describeGroup } from '../../telemetry/group-text.js'
import { type AdminEndpoint, columns, jsonAnswer, textAnswer } from '../endpoint.js'

export const clusters: AdminEndpoint = {
  method: 'GET',
  path: '/clusters',
  about: 'endpoints with their requests and failures; ?format=json',
  answer({ proxy }, query) {
    const { clusters } = proxy.stats()
    if (query.get('format') === 'json') return jsonAnswer(clusters)
    const rows = clusters.flatMap(({ name, endpoints }) =>
      endpoints.map((e) => [
        name,
        e.address,
        e.priority,
        e.zone === '' ? '-' : e.zone,
        e.health,
        e.active,
        e.requests,
        e.failures,
        e.idle,
      ]),
    )
    const failing = clusters.flatMap(({ name, dns }) =>
      dns === null || dns.error === null ? [] : [`${name}: the last lookup of ${dns.name} failed: ${dns.error}\n`],
    )
    const names = ['cluster', 'endpoint', 'priority', 'zone', 'health', 'active', 'requests', 'failures', 'idle']
    const groups = clusters.flatMap(({ name, groups }) =>
      groups.flatMap((group) => describeGroup(group).map((line) => `${labelOf(name, group.subset)}: ${line}\n`)),
    )
    return textAnswer(columns([names, ...rows]) + groups.join('') + failing.join(''))
  },
}

function labelOf(cluster: string, subset: string | null): string {
  return subset === null ? cluster : `${cluster} (${subset})`
}

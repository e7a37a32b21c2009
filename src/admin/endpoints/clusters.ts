/** `/clusters`: what the proxy knows of each endpoint, and how groups of them share requests as of now. */
import type { EndpointStats, Spell } from '../../native/index.js'
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
        health(e),
        e.active,
        e.requests,
        e.failures,
        e.idle,
      ]),
    )
    const failing = clusters.flatMap(({ name, dns }) =>
      dns === null || dns.error === null ? [] : [`${name}: the last lookup of ${dns.name} failed: ${dns.error}\n`],
    )
    const adaptive = clusters.flatMap(({ name, concurrency }) =>
      concurrency === null
        ? []
        : [`${name}: ${concurrency.active} requests under way, adaptive bound ${concurrency.bound}\n`],
    )
    const kept = clusters.flatMap(({ name, endpoints }) => endpoints.flatMap((e) => reasons(name, e)))
    const names = ['cluster', 'endpoint', 'priority', 'zone', 'health', 'active', 'requests', 'failures', 'idle']
    const groups = clusters.flatMap(({ name, groups }) =>
      groups.flatMap((group) => describeGroup(group).map((line) => `${labelOf(name, group.subset)}: ${line}\n`)),
    )
    return textAnswer(columns([names, ...rows]) + [...groups, ...adaptive, ...failing, ...kept].join(''))
  },
}

/** What its check found, and whatever else keeps requests from it. */
function health({ health, degraded, ejected, breaker }: EndpointStats): string {
  const words = [health, degraded && 'degraded', ejected !== null && 'ejected', breaker !== null && 'breaker-open']
  return words.filter((word) => word !== false).join(',')
}

function reasons(cluster: string, { address, ejected, breaker }: EndpointStats): string[] {
  const who = `${cluster}: ${address}`
  const next = breaker?.probing === true ? 'a request tries it now' : 'then one request tries it'
  return [
    ...(ejected === null ? [] : [`${who} is ejected ${period(ejected)}: ${ejected.reason}\n`]),
    ...(breaker === null ? [] : [`${who} has its breaker open ${period(breaker)}, ${next}: ${breaker.reason}\n`]),
  ]
}

function period({ sinceUnixUs, untilUnixUs }: Spell): string {
  const time = (us: number) => new Date(us / 1000).toISOString()
  return `since ${time(sinceUnixUs)} until ${time(untilUnixUs)}`
}

function labelOf(cluster: string, subset: string | null): string {
  return subset === null ? cluster : `${cluster} (${subset})`
}

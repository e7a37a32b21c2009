/**
 * Hosts on demand (VHDS): a table that holds none, and which of its hosts a name means when it is asked for.
 *
 * Invariant: each name that is asked for becomes a virtual host of that name alone. Envoy picks among the hosts that it
 * holds, so with one of `reviews:*` or `*.example` it would never ask for a host that matches better.
 */
import type { RouteConfigurationJson } from '../../xds/protos/envoy/config/route/v3/route_pb.js'
import type { HostRoutes, RouteTable } from '../nouns.js'
import { routeConfiguration } from './routes.js'
import { fromAds } from './tls.js'

export function onDemandTable(table: RouteTable): RouteConfigurationJson {
  const { virtualHosts: _, ...rest } = routeConfiguration({ ...table, hosts: [] }, 'envoy', () => null)
  return { ...rest, vhds: { configSource: fromAds } }
}

interface Index {
  exact: Map<string, HostRoutes>
  /** `*.example` as `.example`, the longest first. */
  suffixes: { suffix: string; host: HostRoutes }[]
  /** `reviews:*` as `reviews:`. */
  anyPort: Map<string, HostRoutes>
  rest: HostRoutes | null
}

const indexes = new WeakMap<RouteTable, Index>()

/** The routes of a host, by the order in which Envoy looks at domains; null: the table has none for it. */
export function steeredBy(table: RouteTable, host: string): HostRoutes | null {
  if (host === '') return null
  const index = indexes.get(table) ?? indexOf(table)
  indexes.set(table, index)
  const { exact, suffixes, anyPort, rest } = index
  const name = host.toLowerCase()
  // The star stands for at least one character, as in Envoy.
  const bySuffix = () => suffixes.find(({ suffix }) => name.endsWith(suffix) && name.length > suffix.length)?.host
  const colon = name.lastIndexOf(':')
  const byPort = () => (colon < name.length - 1 ? anyPort.get(name.slice(0, colon + 1)) : undefined)
  return exact.get(name) ?? bySuffix() ?? byPort() ?? rest
}

function indexOf({ hosts }: RouteTable): Index {
  const index: Index = { exact: new Map(), suffixes: [], anyPort: new Map(), rest: null }
  for (const host of hosts)
    for (const domain of host.hosts.map((one) => one.toLowerCase())) {
      if (domain === '*') index.rest = host
      else if (domain.startsWith('*')) index.suffixes.push({ suffix: domain.slice(1), host })
      else if (domain.endsWith(':*')) index.anyPort.set(domain.slice(0, -1), host)
      else index.exact.set(domain, host)
    }
  index.suffixes.sort((a, b) => b.suffix.length - a.suffix.length)
  return index
}

/**
 * Routes of connections as filter chains. Their filters come apart from the listener (extension discovery): Envoy closes
 * the connections of a chain that changed when the drain time is over, and a weight or a policy that changes must not.
 */
import type { AnyJson } from '@bufbuild/protobuf/wkt'
import type { TransportSocketJson } from '../../xds/protos/envoy/config/core/v3/base_pb.js'
import type {
  FilterChainJson,
  FilterChainMatchJson,
  FilterJson,
} from '../../xds/protos/envoy/config/listener/v3/listener_components_pb.js'
import { RBACSchema } from '../../xds/protos/envoy/extensions/filters/network/rbac/v3/rbac_pb.js'
import {
  type TcpProxyJson,
  TcpProxySchema,
} from '../../xds/protos/envoy/extensions/filters/network/tcp_proxy/v3/tcp_proxy_pb.js'
import type { ConnectionPlace, ConnectionRoute, Listener } from '../nouns.js'
import { pack, present, seconds, typeUrl } from './any.js'
import { allowFilter, cidrRange, denyFilter, filterRules, type Rules, shadowPrefixes, some } from './authorization.js'
import type { NamedFilter } from './named-filter.js'
import { fromAds, meshProtocol, mutualTls, terminatingTls } from './tls.js'

/** A cluster of this name is in no mesh: Envoy closes a connection to it. */
const nowhere = 'unresolved'

/** Kept while the application is not connected yet. */
const earlyBytes = 16_384

export function connectionChains(
  { name, serverNames, places, tls }: ConnectionRoute,
  { direction }: Pick<Listener, 'direction'>,
  trustDomain: string,
): FilterChainJson[] {
  const guards = [discovered(denyFilter, typeUrl(RBACSchema)), discovered(allowFilter, typeUrl(RBACSchema))]
  // Who may be called is for those who are called to say.
  const filters = [...(direction === 'inbound' ? guards : []), discovered(name, typeUrl(TcpProxySchema))]
  if (tls.mode === 'mutual') return mutualChains(name, tls, { filters, transportSocket: mutualTls(trustDomain) })
  const encrypted: FilterChainMatchJson = tls.mode === 'none' ? {} : { transportProtocol: 'tls' }
  const transport = tls.mode === 'terminate' ? { transportSocket: terminatingTls(tls.secret) } : {}
  return (places ?? [{ serverNames, destination: null, source: null }]).map((place, _, all) => {
    const match = { ...encrypted, ...placeMatch(place) }
    const matching = Object.keys(match).length === 0 ? {} : { filterChainMatch: match }
    return { name: placeName(name, place, all), ...matching, filters, ...transport }
  })
}

/** Where others may come too, they have a chain without the mesh's own TLS. */
function mutualChains(
  name: string,
  { others }: { others: boolean },
  { filters, transportSocket }: { filters: FilterJson[]; transportSocket: TransportSocketJson },
): FilterChainJson[] {
  if (!others) return [{ name, filters, transportSocket }]
  const filterChainMatch = { applicationProtocols: [meshProtocol] }
  return [
    { name: `${name}/mutual`, filterChainMatch, filters, transportSocket },
    { name, filters },
  ]
}

export function placeMatch({ serverNames, destination, source }: ConnectionPlace): FilterChainMatchJson {
  return {
    ...(serverNames.length > 0 ? { serverNames } : {}),
    ...(destination === null ? {} : { prefixRanges: [cidrRange(destination)] }),
    ...(source === null ? {} : { sourcePrefixRanges: [cidrRange(source)] }),
  }
}

/** By what it is for: a chain that stays the same keeps its connections, whichever others come and go. */
export function placeName(name: string, place: ConnectionPlace, all: readonly ConnectionPlace[]): string {
  const { serverNames, destination, source } = place
  const isBeside = (other: ConnectionPlace) =>
    other.serverNames.length === 0 && other.destination === destination && other.source === source
  const named = serverNames.length > 0 && all.some(isBeside) ? ' by name' : ''
  return `${name}${named}${destination === null ? '' : ` for ${destination}`}${source === null ? '' : ` from ${source}`}`
}

function discovered(name: string, typeUrlOfFilter: string): FilterJson {
  return { name, configDiscovery: { configSource: fromAds, typeUrls: [typeUrlOfFilter] } }
}

/** What the chains of a listener ask for by name. */
export function connectionFilters({ connections, authorization, direction }: Listener): NamedFilter[] {
  if (connections.length === 0) return []
  const proxies = connections.map((route) => ({
    ...{ name: route.name, config: tcpProxy(route) },
    origins: route.origin === null ? [] : [route.origin],
  }))
  if (direction === 'outbound') return proxies
  const origins = authorization?.origins ?? []
  const { deny = [], allow = null, dryRun = { deny: [], allow: null } } = authorization ?? {}
  return [
    { name: denyFilter, config: rbac(denyFilter, some(deny), some(dryRun.deny)), origins },
    { name: allowFilter, config: rbac(allowFilter, allow, dryRun.allow), origins },
    ...proxies,
  ]
}

function rbac(filter: typeof denyFilter | typeof allowFilter, rules: Rules, watched: Rules): AnyJson {
  const action = filter === denyFilter ? 'DENY' : 'ALLOW'
  const statPrefix = action.toLowerCase()
  return pack(RBACSchema, { statPrefix, ...filterRules(shadowPrefixes[filter], action, rules, watched) })
}

/** Three attempts to connect, as for requests; no endpoint has seen a byte of those that failed. */
function tcpProxy({ name, tls, forward, tunnel, limits: { idleTimeoutMs, maxAgeMs } }: ConnectionRoute): AnyJson {
  const clusters = forward.filter(({ weight }) => weight > 0).map(({ cluster, weight }) => ({ name: cluster, weight }))
  const [first, ...others] = clusters
  const to: TcpProxyJson =
    first === undefined || others.length === 0
      ? { cluster: first?.name ?? nowhere }
      : { weightedClusters: { clusters } }
  const ends = present<TcpProxyJson>({
    idleTimeout: idleTimeoutMs === null ? null : seconds(idleTimeoutMs),
    maxDownstreamConnectionDuration: maxAgeMs === null ? null : seconds(maxAgeMs),
  })
  const usePost = tunnel?.method === 'POST' ? { usePost: true } : {}
  const through = tunnel === null ? {} : { tunnelingConfig: { hostname: tunnel.target, ...usePost } }
  // Nobody reaches the application who is not known yet.
  const known: TcpProxyJson =
    tls.mode === 'mutual' ? { upstreamConnectMode: 'ON_DOWNSTREAM_TLS_HANDSHAKE', maxEarlyDataBytes: earlyBytes } : {}
  return pack(TcpProxySchema, { statPrefix: name, ...to, ...through, maxConnectAttempts: 3, ...ends, ...known })
}

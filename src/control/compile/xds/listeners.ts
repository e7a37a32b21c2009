/**
 * Listeners. Every filter that some route may switch on stands in the chain from the start, off: a policy or a fault that
 * comes later changes routes alone, and no listener drains its connections for it; whose tokens are taken comes apart too.
 * Logs and traces are the listener's own: a change of those renews it, and its connections end one by one.
 */
import type { AddressJson } from '../../xds/protos/envoy/config/core/v3/address_pb.js'
import type { FilterChainJson } from '../../xds/protos/envoy/config/listener/v3/listener_components_pb.js'
import type { ListenerJson } from '../../xds/protos/envoy/config/listener/v3/listener_pb.js'
import { CorsSchema } from '../../xds/protos/envoy/extensions/filters/http/cors/v3/cors_pb.js'
import { HTTPFaultSchema } from '../../xds/protos/envoy/extensions/filters/http/fault/v3/fault_pb.js'
import { OnDemandSchema } from '../../xds/protos/envoy/extensions/filters/http/on_demand/v3/on_demand_pb.js'
import { RBACSchema } from '../../xds/protos/envoy/extensions/filters/http/rbac/v3/rbac_pb.js'
import { RouterSchema } from '../../xds/protos/envoy/extensions/filters/http/router/v3/router_pb.js'
import { StatefulSessionSchema } from '../../xds/protos/envoy/extensions/filters/http/stateful_session/v3/stateful_session_pb.js'
import { TlsInspectorSchema } from '../../xds/protos/envoy/extensions/filters/listener/tls_inspector/v3/tls_inspector_pb.js'
import {
  type HttpConnectionManagerJson,
  HttpConnectionManagerSchema,
  type HttpFilterJson,
} from '../../xds/protos/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb.js'
import type { MeshNode } from '../mesh/node.js'
import { type Listener, outboundTable } from '../nouns.js'
import { pack, seconds } from './any.js'
import { tokenFilterSlot } from './authentication.js'
import { allowFilter, auditFilter, customFilters, denyFilter, shadowPrefixes } from './authorization.js'
import { filterPlace } from './chosen-filters.js'
import { connectionChains, placeMatch, placeName } from './connections.js'
import { corsFilter, externalAuthFilter, faultFilter } from './routes.js'
import { sessionFilter } from './sessions.js'
import { telemetryFields } from './telemetry.js'
import { downstreamTls, fromAds } from './tls.js'

export interface ListenerContext {
  role: MeshNode['role']
  hosts: MeshNode['hosts']
  trustDomain: string
}

/** How long a client may take to begin, where it may also wait for the server. */
const firstBytesTimeoutMs = 1_000

/** Who may call is decided after the token has been read. */
function httpFilters(readsTokens: boolean): HttpFilterJson[] {
  return [
    { name: corsFilter, disabled: true, typedConfig: pack(CorsSchema, {}) },
    ...(readsTokens ? [tokenFilterSlot] : []),
    rbacFilter(auditFilter),
    ...customFilters.map(filterPlace),
    rbacFilter(denyFilter),
    rbacFilter(allowFilter),
    filterPlace(externalAuthFilter),
    { name: faultFilter, disabled: true, typedConfig: pack(HTTPFaultSchema, {}) },
    { name: sessionFilter, disabled: true, typedConfig: pack(StatefulSessionSchema, {}) },
    { name: 'envoy.filters.http.router', typedConfig: pack(RouterSchema, {}) },
  ]
}

function rbacFilter(name: keyof typeof shadowPrefixes): HttpFilterJson {
  const typedConfig = pack(RBACSchema, { shadowRulesStatPrefix: shadowPrefixes[name] })
  return { name, disabled: true, typedConfig }
}

/** Holds a request back whose host is not known, until the control plane has said what it is. It works once for a request, so it stands first. */
const onDemandFilter: HttpFilterJson = { name: 'envoy.filters.http.on_demand', typedConfig: pack(OnDemandSchema, {}) }

export function listenerJson(listener: Listener, context: ListenerContext): ListenerJson {
  const chains = [
    ...requestChains(listener, context),
    ...listener.connections.flatMap((route) => connectionChains(route, listener, context.trustDomain)),
  ]
  const serverMayBegin = listener.connections.some(({ tls }) => tls.mode === 'mutual' && tls.others)
  // It waits for the client's first bytes, which some protocols leave to the server.
  const inspects = chains.some(
    ({ filterChainMatch: match }) =>
      match?.serverNames !== undefined ||
      match?.transportProtocol !== undefined ||
      match?.applicationProtocols !== undefined,
  )
  const inspector = { name: 'envoy.filters.listener.tls_inspector', typedConfig: pack(TlsInspectorSchema, {}) }
  return {
    name: listener.name,
    address: socketAddress(listener.address),
    // Two data planes of one machine would each get some of the connections, and make them in their own name.
    ...(listener.direction === 'outbound' && listener.routes === null ? { enableReusePort: false } : {}),
    ...(inspects ? { listenerFilters: [inspector] } : {}),
    // Where the server is the first to speak, a client in plain text says nothing that could be looked at.
    ...(serverMayBegin
      ? { listenerFiltersTimeout: seconds(firstBytesTimeoutMs), continueOnListenerFiltersTimeout: true }
      : {}),
    filterChains: chains,
  }
}

function requestChains(listener: Listener, context: ListenerContext): FilterChainJson[] {
  const { routes, tls } = listener
  const { trustDomain } = context
  if (routes === null) return []
  const filters = [
    {
      name: 'envoy.filters.network.http_connection_manager',
      typedConfig: pack(HttpConnectionManagerSchema, connectionManager(listener, routes, context)),
    },
  ]
  if (tls === null) return [{ filters }]
  if (tls.mode === 'none')
    return tls.certificates.flatMap(({ secret, serverNames, places }) =>
      (places ?? [{ serverNames, destination: null, source: null }]).map((place, _, all) => {
        const match = placeMatch(place)
        const matching = Object.keys(match).length === 0 ? {} : { filterChainMatch: match }
        const transportSocket = downstreamTls(tls, [secret], trustDomain)
        return { name: placeName(secret, place, all), ...matching, filters, transportSocket }
      }),
    )
  const transportSocket = downstreamTls(tls, [], trustDomain)
  if (tls.mode === 'strict') return [{ name: 'mutual', filters, transportSocket }]
  return [
    { name: 'mutual', filterChainMatch: { transportProtocol: 'tls' }, filters, transportSocket },
    { name: 'plain', filterChainMatch: { transportProtocol: 'raw_buffer' }, filters },
  ]
}

function connectionManager(
  { name, direction, tls, readsTokens, telemetry }: Listener,
  routes: string,
  { role, hosts }: ListenerContext,
): HttpConnectionManagerJson {
  return {
    statPrefix: name,
    rds: { configSource: fromAds, routeConfigName: routes },
    httpFilters: [
      ...(hosts === 'on-demand' && routes === outboundTable ? [onDemandFilter] : []),
      ...httpFilters(readsTokens),
    ],
    ...telemetryFields(telemetry),
    // What policies compare must be what the application sees.
    normalizePath: true,
    mergeSlashes: true,
    upgradeConfigs: [{ upgradeType: 'websocket' }],
    ...(role === 'gateway' ? { useRemoteAddress: true } : {}),
    ...(direction === 'inbound' && role === 'sidecar' && tls !== null
      ? { forwardClientCertDetails: 'SANITIZE_SET' as const, setCurrentClientCertDetails: { uri: true } }
      : {}),
  }
}

/** What a gRPC client asks for: the route configuration of one service, without any address. */
export function grpcListenerJson(name: string, routeConfigName: string): ListenerJson {
  const manager: HttpConnectionManagerJson = {
    rds: { configSource: fromAds, routeConfigName },
    httpFilters: [
      { name: faultFilter, typedConfig: pack(HTTPFaultSchema, {}) },
      { name: 'envoy.filters.http.router', typedConfig: pack(RouterSchema, {}) },
    ],
  }
  return { name, apiListener: { apiListener: pack(HttpConnectionManagerSchema, manager) } }
}

export function socketAddress(text: string): AddressJson {
  const colon = text.lastIndexOf(':')
  return {
    socketAddress: { address: text.slice(0, colon).replace(/^\[|\]$/g, ''), portValue: Number(text.slice(colon + 1)) },
  }
}

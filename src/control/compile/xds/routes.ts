/** A table of routes as a RouteConfiguration. */
import type { AnyJson } from '@bufbuild/protobuf/wkt'
import type { HeaderValueOptionJson } from '../../xds/protos/envoy/config/core/v3/base_pb.js'
import type {
  RedirectAction_RedirectResponseCodeJson,
  RedirectActionJson,
  RetryPolicyJson,
  RouteAction_HashPolicyJson,
  RouteActionJson,
  RouteJson,
  VirtualHostJson,
} from '../../xds/protos/envoy/config/route/v3/route_components_pb.js'
import type { RouteConfigurationJson } from '../../xds/protos/envoy/config/route/v3/route_pb.js'
import { CorsPolicySchema } from '../../xds/protos/envoy/extensions/filters/http/cors/v3/cors_pb.js'
import { HTTPFaultSchema } from '../../xds/protos/envoy/extensions/filters/http/fault/v3/fault_pb.js'
import { PreviousHostsPredicateSchema } from '../../xds/protos/envoy/extensions/retry/host/previous_hosts/v3/previous_hosts_pb.js'
import { PreviousPrioritiesConfigSchema } from '../../xds/protos/envoy/extensions/retry/priority/previous_priorities/v3/previous_priorities_config_pb.js'
import type { MeshNode } from '../mesh/node.js'
import type { Forward, HashOn, HeaderChange, HostRoutes, Redirect, Retry, Route, RouteTable } from '../nouns.js'
import { fraction, pack, present, seconds } from './any.js'
import { authorizationByFilter } from './authorization.js'
import { authorizerFilter } from './authorizers.js'
import { chosenFilters } from './chosen-filters.js'
import { routeMatch, stringMatcher } from './match.js'
import { routesOfSessions, sessionConfig, sessionFilter } from './sessions.js'

export const corsFilter = 'weft.cors'
export const faultFilter = 'weft.fault'
export const externalAuthFilter = 'weft.external-auth'

/** What a route needs to know of the clusters that it names: how their requests are hashed. */
export type HashOf = (cluster: string) => HashOn | null

export function routeConfiguration(
  table: RouteTable,
  plane: MeshNode['plane'],
  hashOf: HashOf,
): RouteConfigurationJson {
  const perFilter = authorizationByFilter(table.authorization)
  return {
    name: table.name,
    virtualHosts: table.hosts.map((host) => virtualHost(host, plane, hashOf)),
    ...(Object.keys(perFilter).length > 0 ? { typedPerFilterConfig: perFilter } : {}),
  }
}

export function virtualHost(
  { name, hosts, routes }: HostRoutes,
  plane: MeshNode['plane'],
  hashOf: HashOf,
): VirtualHostJson {
  return {
    name,
    domains: hosts,
    routes: routes.flatMap(routesOfSessions).map((route) => routeJson(route, plane, hashOf)),
  }
}

function routeJson(route: Route, plane: MeshNode['plane'], hashOf: HashOf): RouteJson {
  const perFilter = typedPerFilter(route)
  return {
    name: route.name,
    match: routeMatch(route.match, plane),
    ...actionJson(route, plane, hashOf),
    ...headerFields(route.requestHeaders, route.responseHeaders),
    ...(route.statPrefix === undefined ? {} : { statPrefix: route.statPrefix }),
    ...(Object.keys(perFilter).length > 0 ? { typedPerFilterConfig: perFilter } : {}),
  }
}

function actionJson(
  route: Route,
  plane: MeshNode['plane'],
  hashOf: HashOf,
): Pick<RouteJson, 'route' | 'redirect' | 'directResponse'> {
  const { action } = route
  if ('respond' in action) {
    const { status, body, encoding } = action.respond
    const bytes = encoding === 'base64' ? { inlineBytes: body } : { inlineString: body }
    return { directResponse: body === '' ? { status } : { status, body: bytes } }
  }
  if ('redirect' in action) return { redirect: redirectJson(action.redirect) }
  const hash = hashPolicies(action.forward.map(({ cluster }) => hashOf(cluster)))
  const timeout = seconds(route.timeoutMs)
  return {
    route: present<RouteActionJson>({
      ...destinations(action.forward),
      // The share of a canary whose service is not there is answered 500 (Gateway API, backendRefs).
      clusterNotFoundResponseCode: 'INTERNAL_SERVER_ERROR',
      timeout,
      maxStreamDuration: plane === 'grpc' && route.timeoutMs > 0 ? { maxStreamDuration: timeout } : null,
      retryPolicy: route.retry === null ? null : retryPolicy(route.retry),
      ...rewriteFields(route),
      requestMirrorPolicies:
        route.mirror.length === 0
          ? null
          : route.mirror.map(({ cluster, percent }) => ({
              cluster,
              runtimeFraction: { defaultValue: fraction(percent) },
            })),
      hashPolicy: hash.length === 0 ? null : hash,
    }),
  }
}

function destinations(forward: Forward[]): Pick<RouteActionJson, 'cluster' | 'weightedClusters'> {
  const [only, ...others] = forward
  if (only !== undefined && others.length === 0 && only.requestHeaders === null && only.responseHeaders === null)
    return { cluster: only.cluster }
  return {
    weightedClusters: {
      clusters: forward.map(({ cluster, weight, requestHeaders, responseHeaders }) => ({
        name: cluster,
        weight,
        ...headerFields(requestHeaders, responseHeaders),
      })),
    },
  }
}

function rewriteFields({
  rewrite,
}: Route): Pick<RouteActionJson, 'hostRewriteLiteral' | 'prefixRewrite' | 'regexRewrite'> {
  if (rewrite === null) return {}
  const host = rewrite.host === null ? {} : { hostRewriteLiteral: rewrite.host }
  const { path } = rewrite
  if (path === null) return host
  if ('prefix' in path) return { ...host, prefixRewrite: path.prefix }
  const [regex, substitution] =
    'full' in path ? ['^/.*$', path.full.replaceAll('\\', '\\\\')] : [path.regex, path.substitution]
  return { ...host, regexRewrite: { pattern: { regex }, substitution } }
}

/** Two tries in one priority before it is left out, as Istio has it. */
const otherPriorities: RetryPolicyJson['retryPriority'] = {
  name: 'envoy.retry_priorities.previous_priorities',
  typedConfig: pack(PreviousPrioritiesConfigSchema, { updateFrequency: 2 }),
}

function retryPolicy(retry: Retry): RetryPolicyJson {
  const { backoffBaseMs: base } = retry
  return present<RetryPolicyJson>({
    retryOn: retry.on.join(','),
    numRetries: retry.retries,
    perTryTimeout: retry.perTryTimeoutMs === null ? null : seconds(retry.perTryTimeoutMs),
    retriableStatusCodes: retry.statusCodes.length === 0 ? null : retry.statusCodes,
    retryBackOff: base === null ? null : { baseInterval: seconds(base), maxInterval: seconds(base * 10) },
    retryHostPredicate: retry.avoidPreviousEndpoints
      ? [{ name: 'envoy.retry_host_predicates.previous_hosts', typedConfig: pack(PreviousHostsPredicateSchema, {}) }]
      : null,
    hostSelectionRetryMaxAttempts: retry.avoidPreviousEndpoints ? '5' : null,
    retryPriority: retry.leavesPriority === true ? otherPriorities : null,
  })
}

const redirectCodes: Record<number, RedirectAction_RedirectResponseCodeJson> = {
  301: 'MOVED_PERMANENTLY',
  302: 'FOUND',
  303: 'SEE_OTHER',
  307: 'TEMPORARY_REDIRECT',
  308: 'PERMANENT_REDIRECT',
}

function redirectJson({ scheme, host, port, path, status }: Redirect): RedirectActionJson {
  return present<RedirectActionJson>({
    schemeRedirect: scheme,
    hostRedirect: host,
    portRedirect: port,
    pathRedirect: path !== null && 'full' in path ? path.full : null,
    prefixRewrite: path !== null && 'prefix' in path ? path.prefix : null,
    responseCode: redirectCodes[status],
  })
}

function hashPolicies(hashes: (HashOn | null)[]): RouteAction_HashPolicyJson[] {
  const distinct = new Map(hashes.flatMap((hash) => (hash === null ? [] : [[JSON.stringify(hash), hash] as const])))
  return [...distinct.values()].map((hash): RouteAction_HashPolicyJson => {
    if ('header' in hash) return { header: { headerName: hash.header } }
    if ('query' in hash) return { queryParameter: { name: hash.query } }
    if ('clientAddress' in hash) return { connectionProperties: { sourceIp: true } }
    const { cookie: name, path, ttlMs, attributes } = hash
    const ttl = ttlMs === null ? null : seconds(ttlMs)
    return { cookie: present({ name, ttl, path, attributes: attributes.length === 0 ? null : attributes }) }
  })
}

function headerFields(request: HeaderChange | null, response: HeaderChange | null) {
  const add = (change: HeaderChange | null): HeaderValueOptionJson[] => [
    ...Object.entries(change?.set ?? {}).map(([key, value]) => option(key, value, 'OVERWRITE_IF_EXISTS_OR_ADD')),
    ...Object.entries(change?.add ?? {}).map(([key, value]) => option(key, value, 'APPEND_IF_EXISTS_OR_ADD')),
  ]
  const [requestAdd, responseAdd] = [add(request), add(response)]
  const [requestRemove, responseRemove] = [request?.remove ?? [], response?.remove ?? []]
  return {
    ...(requestAdd.length > 0 ? { requestHeadersToAdd: requestAdd } : {}),
    ...(requestRemove.length > 0 ? { requestHeadersToRemove: requestRemove } : {}),
    ...(responseAdd.length > 0 ? { responseHeadersToAdd: responseAdd } : {}),
    ...(responseRemove.length > 0 ? { responseHeadersToRemove: responseRemove } : {}),
  }
}

/** Envoy reads `%` as the start of a command; people mean the sign. */
function option(
  key: string,
  value: string,
  appendAction: 'OVERWRITE_IF_EXISTS_OR_ADD' | 'APPEND_IF_EXISTS_OR_ADD',
): HeaderValueOptionJson {
  return { header: { key, value: value.replaceAll('%', '%%') }, appendAction }
}

function typedPerFilter({ fault, cors, externalAuth, session }: Route): Record<string, AnyJson> {
  const perFilter: Record<string, AnyJson> = {}
  if (externalAuth !== null)
    perFilter[externalAuthFilter] = chosenFilters([
      { name: externalAuth.name, typedConfig: authorizerFilter(externalAuth) },
    ])
  if (session !== undefined) perFilter[sessionFilter] = sessionConfig(session)
  if (fault !== null) {
    const { delay, abort } = fault
    perFilter[faultFilter] = pack(HTTPFaultSchema, {
      ...(delay === null ? {} : { delay: { fixedDelay: seconds(delay.fixedMs), percentage: fraction(delay.percent) } }),
      ...(abort === null
        ? {}
        : {
            abort: {
              ...('status' in abort ? { httpStatus: abort.status } : { grpcStatus: abort.grpcStatus }),
              percentage: fraction(abort.percent),
            },
          }),
    })
  }
  if (cors !== null) {
    const list = (words: string[]) => (words.length === 0 ? null : words.join(','))
    perFilter[corsFilter] = pack(
      CorsPolicySchema,
      present({
        allowOriginStringMatch: cors.origins.flatMap((origin) => stringMatcher(origin) ?? []),
        allowMethods: list(cors.methods),
        allowHeaders: list(cors.headers),
        exposeHeaders: list(cors.exposeHeaders),
        maxAge: cors.maxAgeMs === null ? null : String(Math.round(cors.maxAgeMs / 1000)),
        allowCredentials: cors.credentials,
      }),
    )
  }
  return perFilter
}

/** Rules of HTTPRoute and GRPCRoute as routes. */

import type { BackendRef, PathRewrite, RouteFilter } from '../../resources/gateway-filters.js'
import type { GrpcRouteSpec } from '../../resources/grpc-route.js'
import type { HttpRouteRule } from '../../resources/http-route.js'
import type { MeshResource } from '../../state/mesh-source.js'
import { type MeshFinding, originOf } from '../finding.js'
import type { Mesh } from '../mesh/mesh.js'
import type { Parsed } from '../mesh/parsed.js'
import { resolveReference } from '../mesh/references.js'
import type {
  Cors,
  HeaderChange,
  Mirror,
  NamedMatch,
  Redirect,
  Retry,
  Rewrite,
  Route,
  RouteAction,
  RouteMatch,
  TextMatch,
} from '../nouns.js'
import { externalAuthorizer } from './external-auth.js'
import { session } from './sessions.js'

export interface CompiledRoutes {
  routes: Route[]
  findings: MeshFinding[]
}

/** Attempts after the first are made only where nothing of the request was seen by an endpoint. */
export const defaultRetry: Retry = {
  retries: 2,
  on: ['connect-failure', 'refused-stream', 'reset-before-request'],
  statusCodes: [],
  perTryTimeoutMs: null,
  backoffBaseMs: null,
  avoidPreviousEndpoints: true,
}

type Rule = Pick<HttpRouteRule, 'filters' | 'backendRefs' | 'timeouts' | 'retry' | 'sessionPersistence'> & {
  matches: RouteMatch[]
}

export function httpRouteRoutes(mesh: Mesh, { resource, spec }: Parsed<{ rules: HttpRouteRule[] }>): CompiledRoutes {
  return join(
    spec.rules.map((rule, index) =>
      ruleRoutes(mesh, resource, index, { ...rule, matches: rule.matches.map(httpMatch) }),
    ),
  )
}

export function grpcRouteRoutes(mesh: Mesh, { resource, spec }: Parsed<GrpcRouteSpec>): CompiledRoutes {
  return join(
    spec.rules.map((rule, index) =>
      ruleRoutes(mesh, resource, index, {
        ...rule,
        timeouts: {},
        retry: undefined,
        matches: rule.matches.map(grpcMatch),
      }),
    ),
  )
}

function join(parts: CompiledRoutes[]): CompiledRoutes {
  return { routes: parts.flatMap(({ routes }) => routes), findings: parts.flatMap(({ findings }) => findings) }
}

export const anyRequest: RouteMatch = { path: { prefix: '/' }, method: null, headers: [], query: [] }

function ruleRoutes(mesh: Mesh, resource: MeshResource, index: number, rule: Rule): CompiledRoutes {
  const path = `spec.rules[${index}]`
  const asked = ruleAuthorizer(mesh, resource, path, rule)
  const { action, findings } =
    asked.findings.length > 0 ? { ...broken, ...asked } : ruleAction(mesh, resource, path, rule)
  const mirrors = rule.filters.map((filter, i) => mirror(mesh, resource, `${path}.filters[${i}].requestMirror`, filter))
  const filter = <Key extends keyof RouteFilter>(key: Key) => filterOf(rule.filters, key)
  const matches = rule.matches.length === 0 ? [anyRequest] : rule.matches
  const routes = matches.map((match, i): Route => {
    const prefix = 'prefix' in match.path ? match.path.prefix : '/'
    return {
      name: `${resource.kind}/${resource.metadata.namespace}/${resource.metadata.name}/${index}.${i}`,
      match,
      action,
      timeoutMs: rule.timeouts.request ?? 0,
      retry: ruleRetry(rule),
      requestHeaders: headerChange(filter('requestHeaderModifier')),
      responseHeaders: headerChange(filter('responseHeaderModifier')),
      rewrite: rewrite(filter('urlRewrite'), prefix),
      mirror: mirrors.flatMap(({ noun }) => noun ?? []),
      fault: null,
      cors: cors(filter('cors')),
      externalAuth: asked.noun,
      ...(rule.sessionPersistence === undefined
        ? {}
        : {
            session: session(
              rule.sessionPersistence,
              match.path,
              `${resource.metadata.namespace}/${resource.metadata.name}/${index}`,
            ),
          }),
      origin: originOf(resource, path),
    }
  })
  return { routes, findings: [...findings, ...mirrors.flatMap(({ findings: found }) => found)] }
}

/** What no service can answer (Gateway API, backendRefs and filters). */
const broken: { action: RouteAction } = { action: { respond: { status: 500, body: '' } } }

function ruleAuthorizer(mesh: Mesh, resource: MeshResource, path: string, { filters }: Rule) {
  const index = filters.findIndex(({ externalAuth }) => externalAuth !== undefined)
  const written = filters[index]?.externalAuth
  if (written === undefined) return { noun: null, findings: [] }
  return externalAuthorizer(mesh, resource, `${path}.filters[${index}].externalAuth`, written)
}

function ruleAction(
  mesh: Mesh,
  resource: MeshResource,
  path: string,
  rule: Rule,
): { action: RouteAction; findings: MeshFinding[] } {
  const redirect = rule.filters.find(({ requestRedirect }) => requestRedirect !== undefined)?.requestRedirect
  if (redirect !== undefined) {
    const { scheme = null, hostname = null, port = null, path: changed, statusCode } = redirect
    const noun: Redirect = {
      scheme,
      host: hostname,
      port,
      path: changed === undefined ? null : pathChange(changed),
      status: statusCode,
    }
    return { action: { redirect: noun }, findings: [] }
  }
  const resolved = rule.backendRefs.map((ref, i) => ({
    ref,
    ...backend(mesh, resource, `${path}.backendRefs[${i}]`, ref),
  }))
  const isNew = resolved.some(({ ref }) => ref.weight > 0)
  const forward = resolved
    .filter(({ ref }) => ref.weight > 0 || (isNew && rule.sessionPersistence !== undefined))
    .map(({ cluster, ref: { weight, filters } }) => ({
      ...{ cluster, weight },
      requestHeaders: headerChange(filterOf(filters, 'requestHeaderModifier')),
      responseHeaders: headerChange(filterOf(filters, 'responseHeaderModifier')),
    }))
  const findings = resolved.flatMap((one) => one.findings)
  return { action: forward.length === 0 ? broken.action : { forward }, findings }
}

function backend(mesh: Mesh, resource: MeshResource, path: string, ref: Omit<BackendRef, 'weight' | 'filters'>) {
  const namespace = ref.namespace ?? resource.metadata.namespace
  return resolveReference(mesh, resource, path, { host: ref.name, namespace, port: ref.port, subset: undefined })
}

function mirror(
  mesh: Mesh,
  resource: MeshResource,
  path: string,
  { requestMirror }: RouteFilter,
): { noun: Mirror | null; findings: MeshFinding[] } {
  if (requestMirror === undefined) return { noun: null, findings: [] }
  const { backendRef, percent, fraction } = requestMirror
  const { cluster, findings } = backend(mesh, resource, path, backendRef)
  const share = fraction === undefined ? (percent ?? 100) : (100 * fraction.numerator) / fraction.denominator
  return { noun: findings.length === 0 ? { cluster, percent: share } : null, findings }
}

function filterOf<Key extends keyof RouteFilter>(filters: RouteFilter[], key: Key): RouteFilter[Key] | undefined {
  return filters.find((given) => given[key] !== undefined)?.[key]
}

function cors(filter: RouteFilter['cors']): Cors | null {
  if (filter === undefined) return null
  const { allowOrigins, allowMethods, allowHeaders, exposeHeaders, maxAge, allowCredentials } = filter
  return {
    origins: allowOrigins.map(origin),
    methods: allowMethods,
    headers: allowHeaders,
    exposeHeaders,
    maxAgeMs: maxAge * 1_000,
    credentials: allowCredentials,
  }
}

function origin(written: string): TextMatch {
  if (!written.includes('*')) return { exact: written }
  return { regex: written === '*' ? '.*' : escapeRegex(written).replace('\\*', '[A-Za-z0-9.-]+') }
}

function ruleRetry({ retry, timeouts }: Rule): Retry {
  const backendRequest = timeouts.backendRequest ?? null
  if (retry === undefined) return { ...defaultRetry, perTryTimeoutMs: backendRequest }
  const on = retry.codes.length > 0 ? [...defaultRetry.on, 'retriable-status-codes'] : defaultRetry.on
  const { codes, attempts, backoff } = retry
  return {
    retries: attempts,
    on,
    statusCodes: codes,
    perTryTimeoutMs: backendRequest,
    backoffBaseMs: backoff ?? null,
    avoidPreviousEndpoints: true,
  }
}

export function headerChange(change: RouteFilter['requestHeaderModifier']): HeaderChange | null {
  if (change === undefined) return null
  const pairs = (list: { name: string; value: string }[]) =>
    Object.fromEntries(list.map(({ name, value }) => [name, value]))
  return { set: pairs(change.set), add: pairs(change.add), remove: change.remove }
}

function rewrite(filter: RouteFilter['urlRewrite'], prefix: string): Rewrite | null {
  if (filter === undefined) return null
  const path = filter.path === undefined ? null : rewrittenPath(pathChange(filter.path), prefix)
  return { host: filter.hostname ?? null, path }
}

/** Taking a prefix away must not leave two slashes: the one after it goes too. */
function rewrittenPath(change: { full: string } | { prefix: string }, prefix: string): Rewrite['path'] {
  if ('full' in change || prefix === '/') return change
  const from = prefix.replace(/\/$/, '')
  if (!change.prefix.endsWith('/')) return change
  return { regex: `^${escapeRegex(from)}/?`, substitution: change.prefix }
}

function pathChange(change: PathRewrite): { full: string } | { prefix: string } {
  return change.type === 'ReplaceFullPath' ? { full: change.replaceFullPath } : { prefix: change.replacePrefixMatch }
}

function httpMatch({ path, method, headers, queryParams }: HttpRouteRule['matches'][number]): RouteMatch {
  return {
    path: path === undefined ? { prefix: '/' } : pathMatch(path),
    method: method === undefined ? null : { exact: method },
    headers: headers.map((header) => ({ ...named(header), name: header.name.toLowerCase() })),
    query: queryParams.map(named),
  }
}

function pathMatch({ type, value }: { type: string; value: string }): RouteMatch['path'] {
  return type === 'Exact' ? { exact: value } : type === 'RegularExpression' ? { regex: value } : { prefix: value }
}

function named({ type, name, value }: { type: string; name: string; value: string }): NamedMatch {
  return type === 'Exact' ? { name, exact: value } : { name, regex: value }
}

function grpcMatch({ method, headers }: GrpcRouteSpec['rules'][number]['matches'][number]): RouteMatch {
  const path = method === undefined ? { prefix: '/' } : grpcPath(method)
  return {
    path,
    method: null,
    headers: headers.map((header) => ({ ...named(header), name: header.name.toLowerCase() })),
    query: [],
  }
}

function grpcPath({
  type,
  service,
  method,
}: {
  type: string
  service?: string | undefined
  method?: string | undefined
}): RouteMatch['path'] {
  if (type === 'RegularExpression') return { regex: `/${service ?? '[^/]+'}/${method ?? '[^/]+'}` }
  if (service !== undefined && method !== undefined) return { exact: `/${service}/${method}` }
  if (service !== undefined) return { prefix: `/${service}` }
  return method === undefined ? { prefix: '/' } : { regex: `/[^/]+/${escapeRegex(method)}` }
}

export function escapeRegex(text: string): string {
  return text.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&')
}

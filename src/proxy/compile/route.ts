/** `routes[]` → the engine's routes. */
import type { ResolvedRoute } from '../../config/routes/route.js'
import type {
  Fallback,
  HeaderChanges,
  HeaderLine,
  PathChange,
  Redirect,
  Respond,
  Rewrite,
  Route,
  RouteAction,
} from '../../native/snapshot.js'
import { compileDestination, type Destinations } from './destination.js'
import { compileFault } from './fault.js'
import { compileFilter, type Scripts } from './filter.js'
import { type Ids, id } from './ids.js'
import { compileMirror } from './mirror.js'
import { compileRequestKey } from './request-key.js'
import { compileRetry } from './retry.js'
import { compileMatch } from './route-match.js'

/** Paths are relative to `folder`. */
export function compileRoute(
  route: ResolvedRoute,
  folder: string,
  listenerIds: Ids,
  destinations: Destinations,
  scripts: Scripts,
): Route {
  const { name, listeners, hosts, matches, when, rewrite, requestHeaders, responseHeaders, fallback } = route
  return {
    name,
    listeners: listeners === null ? [...listenerIds.values()] : listeners.map((name) => id(listenerIds, name)),
    hosts,
    matches: matches.map(compileMatch),
    when,
    action: compileAction(route, destinations),
    rewrite: rewrite && ({ path: compilePath(rewrite), host: rewrite.host } satisfies Rewrite),
    requestHeaders: requestHeaders && compileChanges(requestHeaders),
    responseHeaders: responseHeaders && compileChanges(responseHeaders),
    fallback: fallback && ({ on: fallback.on, respond: compileRespond(fallback.respond) } satisfies Fallback),
    timeoutMs: route.timeout,
    firstByteTimeoutMs: route.firstByteTimeout,
    idleTimeoutMs: route.idleTimeout,
    retry: route.retry === null ? null : compileRetry(route.retry),
    filters: route.filters.map((filter) => compileFilter(filter, folder, scripts)),
    fault: route.fault && compileFault(route.fault),
    mirrors: route.mirror.map((mirror) => compileMirror(mirror, destinations)),
    lane: route.lane,
  } satisfies Route
}

function compileAction({ forward, redirect, respond, sticky }: ResolvedRoute, destinations: Destinations): RouteAction {
  if (redirect !== null) {
    const { status, scheme, host, port } = redirect
    return { redirect: { status, scheme, host, port, path: compilePath(redirect) } satisfies Redirect }
  }
  if (respond !== null) return { respond: compileRespond(respond) }
  const targets = (forward ?? []).map(({ weight, ...target }) => ({
    ...compileDestination(target, destinations),
    weight,
  }))
  return { forward: { targets, sticky: sticky && compileRequestKey(sticky) } }
}

function compilePath({ path, pathPrefix }: { path: string | null; pathPrefix: string | null }): PathChange | null {
  if (path !== null) return { full: path }
  return pathPrefix === null ? null : { prefix: pathPrefix }
}

function compileRespond({ status, headers, body }: NonNullable<ResolvedRoute['respond']>): Respond {
  return { status, headers: lines(headers), body } satisfies Respond
}

function compileChanges({ set, add, remove }: NonNullable<ResolvedRoute['requestHeaders']>): HeaderChanges {
  return { set: lines(set), add: lines(add), remove } satisfies HeaderChanges
}

function lines(headers: Record<string, string>): HeaderLine[] {
  return Object.entries(headers).map(([name, value]) => ({ name, value }))
}

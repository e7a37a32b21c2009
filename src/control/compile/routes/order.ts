/**
 * The one order of rules (Gateway API): exact path, then regular expression, then longest prefix; then a method; then
 * more headers; then more query parameters; then the older resource, its name, and its place in the resource.
 *
 * Also says which rules can never be reached behind the ones before them. Server names have their order in
 * server-names.ts.
 */
import type { MeshFinding } from '../finding.js'
import { describeOrigin } from '../finding.js'
import type { Route, RouteMatch } from '../nouns.js'

/** Sorts stably, so rules of equal rank keep the order of their resources (older first) and of their list. */
export function byPrecedence(routes: readonly Route[]): Route[] {
  return [...routes].sort((a, b) => {
    const [left, right] = [rank(a.match), rank(b.match)]
    for (const [index, value] of left.entries()) {
      const difference = (right[index] ?? 0) - value
      if (difference !== 0) return difference
    }
    return 0
  })
}

function rank({ path, method, headers, query }: RouteMatch): number[] {
  const kind = 'exact' in path ? 2 : 'regex' in path ? 1 : 0
  const length = 'prefix' in path ? path.prefix.length : 'text' in path ? path.text.length : 0
  return [kind, length, method === null ? 0 : 1, headers.length, query.length]
}

/** A finding for each route that an earlier one leaves nothing to, wherever it holds; `routes` stand in the order in which they match. */
export function findShadowed(routes: readonly Route[]): MeshFinding[] {
  return routes.flatMap((route, index) => {
    const earlier = routes.slice(0, index).find((one) => one.isPartial !== true && covers(one.match, route.match))
    if (earlier === undefined || route.origin === null || earlier.origin === null) return []
    const same = JSON.stringify(earlier.origin) === JSON.stringify(route.origin)
    const by = same ? 'another of its matches' : `${describeOrigin(earlier.origin)} ${earlier.origin.path}`
    return [
      {
        severity: 'warning' as const,
        code: 'WEFT_MESH_SHADOWED' as const,
        origin: route.origin,
        message: `is never reached: ${by} takes all of its requests`,
        hint: 'remove it, or make the earlier rule narrower',
      },
    ]
  })
}

/** Whether each request that `narrow` matches is surely matched by `wide`. */
export function covers(wide: RouteMatch, narrow: RouteMatch): boolean {
  return (
    coversPath(wide.path, narrow.path) &&
    (wide.method === null || same(wide.method, narrow.method)) &&
    wide.headers.every((header) => narrow.headers.some((other) => same(header, other))) &&
    wide.query.every((parameter) => narrow.query.some((other) => same(parameter, other)))
  )
}

function coversPath(wide: RouteMatch['path'], narrow: RouteMatch['path']): boolean {
  if (same(wide, narrow)) return true
  if (wide.ignoreCase || narrow.ignoreCase || 'exact' in wide || 'regex' in wide) return false
  const text =
    'exact' in narrow ? narrow.exact : 'prefix' in narrow ? narrow.prefix : 'text' in narrow ? narrow.text : null
  if ('text' in wide) return wide.text === '/' || (text?.startsWith(wide.text) ?? false)
  const prefix = wide.prefix.replace(/\/$/, '')
  return prefix === '' || (!('text' in narrow) && (text === prefix || (text?.startsWith(`${prefix}/`) ?? false)))
}

function same(a: unknown, b: unknown): boolean {
  return JSON.stringify(a) === JSON.stringify(b)
}

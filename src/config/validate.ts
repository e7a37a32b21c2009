/**
 * Second step of a configuration change: what was written becomes a resolved configuration, or a list of every issue.
 *
 * Invariants: all issues at once; pure; the written value is not changed.
 */
import type { Issue } from '../errors.js'
import { config, type ResolvedConfig } from './config.js'
import { crossCheck } from './cross-checks.js'
import { type Finding, findingsOf } from './findings.js'
import { formatPath, type Path } from './path.js'
import { route } from './route.js'
import { checkRoute, type IndexedRoute } from './route-checks.js'
import { shadowedRoutes } from './route-shadows.js'

export type Validation = { config: ResolvedConfig; issues: [] } | { config: null; issues: Issue[] }

/** Finds the line on which a path stands; null when the configuration came from no file. */
export type LineOf = (path: Path) => number | null

export function validate(written: unknown, lineOf: LineOf = () => null): Validation {
  const parsed = config.safeParse(written)
  const findings: Finding[] = [
    ...(parsed.success ? [] : findingsOf(config, written, parsed.error.issues)),
    ...crossCheck(written),
    ...routeFindings(
      parsed.success ? parsed.data.routes.map((route, index) => ({ route, index })) : accepted(written),
      written,
    ),
  ]
  if (parsed.success && findings.length === 0) return { config: parsed.data, issues: [] }
  const issues = findings.map(({ path, ...rest }) => ({ path: formatPath(path), ...rest, line: lineOf(path) }))
  return { config: null, issues: issues.sort((a, b) => (a.line ?? 0) - (b.line ?? 0)) }
}

function routeFindings(routes: readonly IndexedRoute[], written: unknown): Finding[] {
  const within = routes.flatMap(checkRoute)
  return [...within, ...shadowedRoutes(routes, listenerNames(written))]
}

/** The routes that the schema accepts by themselves, so that they are looked at although something else is wrong. */
function accepted(written: unknown): IndexedRoute[] {
  return listAt(written, 'routes').flatMap((entry, index) => {
    const parsed = route.safeParse(entry)
    return parsed.success ? [{ index, route: parsed.data }] : []
  })
}

function listenerNames(written: unknown): string[] {
  return listAt(written, 'listeners').flatMap((entry) => {
    const name = (entry as { name?: unknown } | null)?.name
    return typeof name === 'string' ? [name] : []
  })
}

function listAt(written: unknown, key: string): unknown[] {
  const list = (written as Record<string, unknown> | null | undefined)?.[key]
  return Array.isArray(list) ? list : []
}

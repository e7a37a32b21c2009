/**
 * Second step of a configuration change: what was written becomes a resolved configuration, or a list of every issue.
 *
 * Invariants: all issues at once; pure; the written value is not changed.
 */
import type { Issue } from '../errors.js'
import { crossCheck } from './checks/between-entries.js'
import { type Finding, findingsOf } from './checks/findings.js'
import { formatPath } from './checks/path.js'
import { shadowedRoutes } from './checks/shadows.js'
import { checkRoute, type IndexedRoute } from './checks/within-route.js'
import { config, type ResolvedConfig } from './config.js'
import type { Place, PlaceOf } from './files/include.js'
import { route } from './routes/route.js'

export type Validation = { config: ResolvedConfig; issues: [] } | { config: null; issues: Issue[] }

/** Of a configuration that came from no file. */
const nowhere: PlaceOf = (path) => ({ file: null, path, line: null })

export function validate(written: unknown, placeOf: PlaceOf = nowhere): Validation {
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
  return { config: null, issues: sorted(findings.map((finding) => issueAt(placeOf(finding.path), finding))) }
}

/** A finding as it is told: with the path and line of the file in which it stands. */
export function issueAt({ file, path, line }: Place, { code, message, hint }: Finding): Issue {
  return { path: formatPath(path), code, message, hint, line, ...(file === null ? {} : { file }) }
}

/** The main file first, each file from its top to its bottom. */
export function sorted(issues: Issue[]): Issue[] {
  const file = (issue: Issue) => issue.file ?? ''
  return issues.sort((a, b) => file(a).localeCompare(file(b)) || (a.line ?? 0) - (b.line ?? 0))
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

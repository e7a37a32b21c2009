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

export type Validation = { config: ResolvedConfig; issues: [] } | { config: null; issues: Issue[] }

/** Finds the line on which a path stands; null when the configuration came from no file. */
export type LineOf = (path: Path) => number | null

export function validate(written: unknown, lineOf: LineOf = () => null): Validation {
  const parsed = config.safeParse(written)
  const findings: Finding[] = [
    ...(parsed.success ? [] : findingsOf(config, written, parsed.error.issues)),
    ...crossCheck(written),
  ]
  if (parsed.success && findings.length === 0) return { config: parsed.data, issues: [] }
  const issues = findings.map(({ path, ...rest }) => ({ path: formatPath(path), ...rest, line: lineOf(path) }))
  return { config: null, issues: issues.sort((a, b) => (a.line ?? 0) - (b.line ?? 0)) }
}

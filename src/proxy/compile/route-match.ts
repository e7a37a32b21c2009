/** `routes[].matches[]` → the engine's matches. */
import type { ResolvedMatch, ResolvedTest } from '../../config/routes/match.js'
import type { FieldMatch, PathMatch, RouteMatch, ValueTest } from '../../native/snapshot.js'

export function compileMatch({ path, method, headers, query }: ResolvedMatch): RouteMatch {
  return {
    path: compilePath(path),
    method,
    headers: headers.map(compileField),
    query: query.map(compileField),
  } satisfies RouteMatch
}

function compilePath({ exact, prefix, regex }: ResolvedMatch['path']): PathMatch {
  if (exact !== undefined) return { exact }
  return regex === undefined ? { prefix: prefix ?? '/' } : { regex }
}

export function compileField({ name, exact, prefix, suffix, regex, absent }: ResolvedTest): FieldMatch {
  const test: ValueTest =
    exact !== undefined
      ? { exact }
      : prefix !== undefined
        ? { prefix }
        : suffix !== undefined
          ? { suffix }
          : regex !== undefined
            ? { regex }
            : absent
              ? 'absent'
              : 'present'
  return { name, test } satisfies FieldMatch
}

/** How texts, headers, query parameters and paths are compared. */
import type {
  HeaderMatcherJson,
  QueryParameterMatcherJson,
  RouteMatchJson,
} from '../../xds/protos/envoy/config/route/v3/route_components_pb.js'
import type { StringMatcherJson } from '../../xds/protos/envoy/type/matcher/v3/string_pb.js'
import type { MeshNode } from '../mesh/node.js'
import type { HeaderMatch, NamedMatch, RouteMatch, TextMatch } from '../nouns.js'
import { escapeRegex } from '../routes/http-routes.js'

/** Null: whatever the text is. */
export function stringMatcher(match: TextMatch): StringMatcherJson | null {
  if ('exact' in match) return { exact: match.exact }
  if ('prefix' in match) return { prefix: match.prefix }
  if ('suffix' in match) return { suffix: match.suffix }
  return 'regex' in match ? { safeRegex: { regex: match.regex } } : null
}

export function headerMatcher(match: HeaderMatch): HeaderMatcherJson {
  const invert = match.not === true ? { invertMatch: true } : {}
  if ('present' in match || 'absent' in match) return { name: match.name, presentMatch: 'present' in match, ...invert }
  const ignoreCase = match.ignoreCase === true ? { ignoreCase: true } : {}
  return { name: match.name, stringMatch: { ...stringMatcher(match), ...ignoreCase }, ...invert }
}

function queryMatcher(match: NamedMatch): QueryParameterMatcherJson {
  const text = stringMatcher(match)
  return text === null
    ? { name: match.name, presentMatch: 'present' in match }
    : { name: match.name, stringMatch: text }
}

export function routeMatch(match: RouteMatch, plane: MeshNode['plane']): RouteMatchJson {
  const headers = match.headers.map(headerMatcher)
  if (match.method !== null) headers.unshift(headerMatcher({ name: ':method', ...match.method }))
  return {
    ...pathMatch(match.path, plane),
    ...(match.path.ignoreCase === true ? { caseSensitive: false } : {}),
    ...(headers.length > 0 ? { headers } : {}),
    ...(match.query.length > 0 ? { queryParameters: match.query.map(queryMatcher) } : {}),
  }
}

/** A prefix ends at a path element; gRPC clients know no such prefix, for them it is a regular expression. */
function pathMatch(path: RouteMatch['path'], plane: MeshNode['plane']): RouteMatchJson {
  if ('exact' in path) return { path: path.exact }
  if ('regex' in path) return { safeRegex: { regex: path.regex } }
  if ('text' in path) return { prefix: path.text }
  const prefix = path.prefix.replace(/\/+$/, '')
  if (prefix === '') return { prefix: '/' }
  return plane === 'grpc' ? { safeRegex: { regex: `${escapeRegex(prefix)}(/.*)?` } } : { pathSeparatedPrefix: prefix }
}

/** What a match of a VirtualService asks of a request. */
import type { VirtualServiceMatch } from '../../resources/virtual-service.js'
import type { HeaderMatch, RouteMatch, TextMatch } from '../nouns.js'

export function routeMatch(match: VirtualServiceMatch): RouteMatch {
  const headers = Object.entries(match.headers).map(
    ([name, value]): HeaderMatch => ({ name: name.toLowerCase(), ...textMatch(value) }),
  )
  const without = Object.entries(match.withoutHeaders).map(
    ([name, value]): HeaderMatch => ({ name: name.toLowerCase(), ...textMatch(value), not: true }),
  )
  const authority: HeaderMatch[] =
    match.authority === undefined ? [] : [{ name: ':authority', ...textMatch(match.authority) }]
  const scheme: HeaderMatch[] = match.scheme === undefined ? [] : [{ name: ':scheme', ...textMatch(match.scheme) }]
  return {
    path: uriMatch(match),
    method: match.method === undefined ? null : textMatch(match.method),
    headers: [...headers, ...without, ...authority, ...scheme],
    query: Object.entries(match.queryParams).map(([name, value]) => ({ name, ...textMatch(value) })),
  }
}

function uriMatch({ uri, ignoreUriCase }: VirtualServiceMatch): RouteMatch['path'] {
  if (uri === undefined) return { prefix: '/' }
  const ignoreCase = ignoreUriCase ? { ignoreCase: true as const } : {}
  if (uri.exact !== undefined) return { exact: uri.exact, ...ignoreCase }
  return uri.regex !== undefined ? { regex: uri.regex } : { text: uri.prefix ?? '/', ...ignoreCase }
}

export function textMatch({
  exact,
  prefix,
  regex,
}: {
  exact?: string | undefined
  prefix?: string | undefined
  regex?: string | undefined
}): TextMatch {
  if (exact !== undefined) return { exact }
  if (prefix !== undefined) return { prefix }
  return regex !== undefined ? { regex } : { present: true }
}

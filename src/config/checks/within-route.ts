/**
 * Checks within one route: one action, keys that fit it, conditions that can hold at once.
 *
 * Invariant: pure, over routes that the schema has accepted.
 */

import type { ResolvedMatch, ResolvedTest } from '../routes/match.js'
import type { ResolvedRoute } from '../routes/route.js'
import type { Finding } from './findings.js'
import type { Path } from './path.js'

export interface IndexedRoute {
  index: number
  route: ResolvedRoute
}

const actions = ['forward', 'redirect', 'respond'] as const
/** Keys that say something about a cluster's answer, and so need one. */
const ofForward = ['sticky', 'rewrite', 'requestHeaders', 'fallback', 'mirror'] as const

export function checkRoute({ index, route }: IndexedRoute): Finding[] {
  const path: Path = ['routes', index]
  return [
    ...oneAction(path, route),
    ...prefixToReplace(path, route),
    ...route.matches.flatMap((match, at) => contradictions([...path, 'matches', at], match)),
  ]
}

function oneAction(path: Path, route: ResolvedRoute): Finding[] {
  const written = actions.filter((action) => route[action] !== null)
  if (written.length === 0) {
    const hint = 'write `forward`, `redirect` or `respond`'
    return [{ path: [...path, 'forward'], code: 'WEFT_CONFIG_MISSING', message: 'is missing', hint }]
  }
  const [action = 'forward', second] = written
  if (second !== undefined) {
    const message = `\`${action}\` and \`${second}\` exclude each other`
    return [{ path: [...path, second], code: 'WEFT_CONFIG_CONTRADICTION', message, hint: 'keep one of them' }]
  }
  if (action === 'forward') return []
  return ofForward
    .filter((key) => route[key] !== null && !(Array.isArray(route[key]) && route[key].length === 0))
    .map((key) => {
      const message = `\`${key}\` needs \`forward\`: a route with \`${action}\` asks no cluster`
      return { path: [...path, key], code: 'WEFT_CONFIG_CONTRADICTION', message, hint: 'remove it' }
    })
}

function prefixToReplace(path: Path, route: ResolvedRoute): Finding[] {
  const key = (['rewrite', 'redirect'] as const).find((key) => (route[key]?.pathPrefix ?? null) !== null)
  const at = route.matches.findIndex((match) => match.path.prefix === undefined)
  if (key === undefined || at === -1) return []
  const message = `matches[${at}] matches no prefix that could be replaced`
  const hint = 'use `path` to replace the whole path, or match a prefix'
  return [{ path: [...path, key, 'pathPrefix'], code: 'WEFT_CONFIG_CONTRADICTION', message, hint }]
}

function contradictions(path: Path, match: ResolvedMatch): Finding[] {
  return (['headers', 'query'] as const).flatMap((list) =>
    match[list].flatMap((test, at) => {
      const earlier = match[list].slice(0, at).findIndex((other) => other.name === test.name && excludes(other, test))
      if (earlier === -1) return []
      const message = `${test.name} cannot be what ${list}[${earlier}] asks and this: ${words(match[list][earlier])}, ${words(test)}`
      const hint = 'all conditions of a match must hold; write another match for the other case'
      return [{ path: [...path, list, at], code: 'WEFT_CONFIG_CONTRADICTION' as const, message, hint }]
    }),
  )
}

/** Whether no value can pass both tests. Regexes are given the benefit of the doubt. */
function excludes(one: ResolvedTest, other: ResolvedTest): boolean {
  if (one.absent || other.absent) return !(one.absent && other.absent)
  if (one.exact !== undefined) return passes(one.exact, other) === false
  if (other.exact !== undefined) return passes(other.exact, one) === false
  if (one.prefix !== undefined && other.prefix !== undefined)
    return !one.prefix.startsWith(other.prefix) && !other.prefix.startsWith(one.prefix)
  if (one.suffix !== undefined && other.suffix !== undefined)
    return !one.suffix.endsWith(other.suffix) && !other.suffix.endsWith(one.suffix)
  return false
}

/** Whether a value passes a test; null when only the engine can say. */
export function passes(value: string, test: ResolvedTest): boolean | null {
  if (test.absent) return false
  if (test.exact !== undefined) return value === test.exact
  if (test.prefix !== undefined) return value.startsWith(test.prefix)
  if (test.suffix !== undefined) return value.endsWith(test.suffix)
  return test.present ? true : null
}

function words(test: ResolvedTest | undefined): string {
  const { name, ...asks } = test ?? { name: '' }
  return Object.entries(asks)
    .map(([key, value]) => (value === true ? key : `${key} ${JSON.stringify(value)}`))
    .join()
}

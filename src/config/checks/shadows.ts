/**
 * Matches that can never take a request, because others take all of it first.
 *
 * Rules are compared where they meet: at one listener, for one host, in one lane, at one path. There a rule that comes first shadows
 * another one when each of its conditions follows from a condition of the other. Invariant: what is reported is certain;
 * regexes are compared as texts, so that some shadows are not found.
 */

import type { ResolvedMatch, ResolvedTest } from '../routes/match.js'
import type { Finding } from './findings.js'
import type { IndexedRoute } from './within-route.js'
import { passes } from './within-route.js'

/** A match of a route, at one listener and for one host. */
interface Rule {
  route: number
  /** Null for a route without matches, which takes every request. */
  match: number | null
  order: number
  asks: ResolvedMatch
  /** The condition of its route; only equal texts are known to ask the same. */
  when: string | null
}

/** In a group of more rules than this only equal rules are found: the comparison of each with each would take too long. */
const compared = 200
const everything: ResolvedMatch = { path: { prefix: '/' }, method: null, headers: [], query: [] }
/** Regexes that take every path; such a rule also stands before all prefixes. */
const takesEvery = new Set(['.*', '/.*', '^.*$', '^/.*$', '^/.*', '^.*', '.*$', '/.*$', '.+', '/.{0,}'])

export function shadowedRoutes(routes: readonly IndexedRoute[], listeners: readonly string[]): Finding[] {
  const groups = groupsOf(routes, listeners)
  /** For each match in how many groups it stands, and what shadows it there. */
  const places = new Map<string, { rule: Rule; count: number; shadows: Shadow[] }>()
  for (const group of groups.values()) {
    const shadows = shadowsIn(group.rules.sort(byRank), group.before)
    for (const rule of group.rules) {
      const key = `${rule.route} ${rule.match}`
      const place = places.get(key) ?? { rule, count: 0, shadows: [] }
      place.count += 1
      const shadow = shadows.get(rule)
      if (shadow !== undefined) place.shadows.push({ by: shadow, where: group.where })
      places.set(key, place)
    }
  }
  const names = new Map(routes.map(({ index, route }) => [index, route.name]))
  return [...places.values()]
    .filter(({ count, shadows }) => shadows.length === count)
    .map(({ rule, shadows }) => finding(rule, shadows[0] as Shadow, names))
}

interface Shadow {
  by: Rule
  where: string
}

interface Group {
  where: string
  rules: Rule[]
  /** Rules of the same listener and host whose regex takes every path; they come before prefixes. */
  before: Rule[]
}

function groupsOf(routes: readonly IndexedRoute[], listeners: readonly string[]): Map<string, Group> {
  const groups = new Map<string, Group>()
  const universal = new Map<string, Rule[]>()
  let order = 0
  for (const { index, route } of routes) {
    const matches = route.matches.length === 0 ? [everything] : route.matches
    const hosts = route.hosts.length === 0 ? ['*'] : [...new Set(route.hosts)]
    matches.forEach((asks, at) => {
      const rule = {
        route: index,
        match: route.matches.length === 0 ? null : at,
        order: order++,
        asks,
        when: route.when,
      }
      for (const listener of new Set(route.listeners ?? listeners)) {
        for (const host of hosts) {
          // A lane's routes are asked before all others, and about its own requests alone.
          const site = `${listener}\n${host}\n${route.lane ?? ''}`
          const where = `at listener ${listener}${host === '*' ? '' : ` for host ${host}`}`
          const before = universal.get(site) ?? []
          universal.set(site, before)
          if (asks.path.regex !== undefined && takesEvery.has(asks.path.regex)) before.push(rule)
          const key = `${site}\n${pathKey(asks)}`
          const group = groups.get(key) ?? { where, rules: [], before: asks.path.prefix === undefined ? [] : before }
          group.rules.push(rule)
          groups.set(key, group)
        }
      }
    })
  }
  return groups
}

function pathKey({ path }: ResolvedMatch): string {
  if (path.exact !== undefined) return `exact ${path.exact}`
  if (path.regex !== undefined) return `regex ${path.regex}`
  return `prefix ${path.prefix?.replace(/\/$/, '')}`
}

/** The order in which the engine tries the rules of one listener, host and path. */
function byRank(one: Rule, other: Rule): number {
  const method = Number(other.asks.method !== null) - Number(one.asks.method !== null)
  const headers = headersOf(other) - headersOf(one)
  const query = other.asks.query.length - one.asks.query.length
  return method || headers || query || one.order - other.order
}

/** A `when` counts as one more. */
function headersOf({ asks, when }: Rule): number {
  return asks.headers.length + Number(when !== null)
}

function shadowsIn(ranked: readonly Rule[], before: readonly Rule[]): Map<Rule, Rule> {
  const shadows = new Map<Rule, Rule>()
  if (ranked.length + before.length < 2) return shadows // nearly always, and there may be ten thousand
  const equal = new Map<string, Rule>()
  ranked.forEach((rule, at) => {
    const text = JSON.stringify([rule.when, rule.asks.method, sorted(rule.asks.headers), sorted(rule.asks.query)])
    const earlier = ranked.length > compared ? [] : ranked.slice(0, at)
    const shadow = equal.get(text) ?? [...before, ...earlier].find((other) => takesAllOf(other, rule))
    if (shadow === undefined) equal.set(text, rule)
    else shadows.set(rule, shadow)
  })
  return shadows
}

function sorted(tests: readonly ResolvedTest[]): string[] {
  return tests.map((test) => JSON.stringify(Object.entries(test).sort())).sort()
}

/** Whether the first takes every request that the second takes, paths aside. */
function takesAllOf({ asks: one, when }: Rule, { asks: other, when: also }: Rule): boolean {
  return (
    (when === null || when === also) &&
    (one.method === null || one.method === other.method) &&
    one.headers.every((test) => other.headers.some((known) => follows(known, test))) &&
    one.query.every((test) => other.query.some((known) => follows(known, test)))
  )
}

/** Whether every value that passes `known` passes `test`. */
function follows(known: ResolvedTest, test: ResolvedTest): boolean {
  if (known.name !== test.name) return false
  if (known.absent || test.absent) return known.absent === test.absent
  if (test.present) return true
  if (known.exact !== undefined) return passes(known.exact, test) === true
  if (known.prefix !== undefined && test.prefix !== undefined) return known.prefix.startsWith(test.prefix)
  if (known.suffix !== undefined && test.suffix !== undefined) return known.suffix.endsWith(test.suffix)
  return known.regex !== undefined && known.regex === test.regex
}

function finding(rule: Rule, { by, where }: Shadow, names: ReadonlyMap<number, string>): Finding {
  const at = (rule: Rule) => `routes[${rule.route}]${rule.match === null ? '' : `.matches[${rule.match}]`}`
  const path = rule.match === null ? ['routes', rule.route] : ['routes', rule.route, 'matches', rule.match]
  const owner = by.route === rule.route ? 'which stands before it' : `of route ${JSON.stringify(names.get(by.route))}`
  return {
    path,
    code: 'WEFT_CONFIG_UNREACHABLE',
    message: `never takes a request: ${at(by)}, ${owner}, takes all of them first (${where})`,
    hint: 'remove one of the two, or ask for more in this one; `weft explain` shows the order',
  }
}

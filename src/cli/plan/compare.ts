/**
 * What a candidate would change for recorded requests: decisions before and after, sorted into groups. Pure.
 *
 * Invariants: a choice by chance counts as unchanged while clusters and weights stay as they are; where nobody knows what
 * the configuration in force decides, the record itself says what was.
 */
import type { DecisionRecord } from '../../native/index.js'
import type { Decision } from '../../native/replayed.js'

/** From worst to harmless; `route`: the same cluster by another route. */
export const kinds = ['refused', 'unroutable', 'cluster', 'share', 'answer', 'route'] as const
export type Kind = (typeof kinds)[number]

export interface Example {
  id: string
  method: string
  authority: string
  path: string
}

/** Requests with the same change. */
export interface Group {
  kind: Kind
  count: number
  from: string
  to: string
  /** Names of the routes; null where none takes them. */
  routes: [before: string | null, after: string | null]
  examples: Example[]
}

export interface Comparison {
  requests: number
  unchanged: number
  changes: Record<Kind, number>
  /** The worst kind first, the largest group first. */
  groups: Group[]
}

/** What is known of a request before the change: the decision in force, or only what was recorded. */
export type Before = Decision | DecisionRecord

const mostExamples = 3

export function compareDecisions(
  records: readonly DecisionRecord[],
  before: readonly Decision[] | null,
  after: readonly Decision[],
): Comparison {
  const groups = new Map<string, Group>()
  const changes = Object.fromEntries(kinds.map((kind) => [kind, 0])) as Record<Kind, number>
  let unchanged = 0
  records.forEach((record, at) => {
    const then = before?.[at] ?? recorded(record)
    const now = after[at]
    const kind = now === undefined ? null : changeOf(then, now)
    if (kind === null || now === undefined) {
      unchanged += 1
      return
    }
    changes[kind] += 1
    const [from, to] = [words(then), words(now)]
    const routes: Group['routes'] = [routeOf(then), routeOf(now)]
    const key = JSON.stringify([kind, from, to, routes])
    const group = groups.get(key) ?? { kind, count: 0, from, to, routes, examples: [] }
    group.count += 1
    const { id, method, authority, path } = record
    if (group.examples.length < mostExamples) group.examples.push({ id, method, authority, path })
    groups.set(key, group)
  })
  const worst = (one: Group, other: Group) =>
    kinds.indexOf(one.kind) - kinds.indexOf(other.kind) || other.count - one.count || one.to.localeCompare(other.to)
  return { requests: records.length, unchanged, changes, groups: [...groups.values()].sort(worst) }
}

/** Null: nothing changes for it. */
export function changeOf(before: Decision, after: Decision): Kind | null {
  if (after.type === 'refused') return before.type === 'refused' ? null : 'refused'
  if (after.type === 'unroutable' || after.type === 'no-listener') return isLost(before) ? null : 'unroutable'
  if (before.type === 'forward' && after.type === 'forward') return changeOfCluster(before, after)
  if (before.type === 'forward' || after.type === 'forward') return isLost(before) ? 'cluster' : 'answer'
  return words(before) === words(after) ? renamed(before, after) : 'answer'
}

type Forward = Extract<Decision, { type: 'forward' }>

function changeOfCluster(before: Forward, after: Forward): Kind | null {
  if (before.takes !== null && after.takes !== null)
    return before.takes === after.takes ? renamed(before, after) : 'cluster'
  const [then, now] = [shares(before), shares(after)]
  if (now.size !== then.size || [...now.keys()].some((cluster) => !then.has(cluster))) return 'cluster'
  const isSame = [...now].every(([cluster, share]) => Math.abs(share - (then.get(cluster) ?? 0)) < 1e-9)
  return isSame ? renamed(before, after) : 'share'
}

function renamed(before: Decision, after: Decision): Kind | null {
  return routeOf(before) === routeOf(after) || routeOf(before) === null ? null : 'route'
}

/** The share of each cluster; one that stands there twice has both. */
function shares({ split }: Forward): Map<string, number> {
  const total = split.reduce((sum, [, weight]) => sum + weight, 0)
  const shares = new Map<string, number>()
  for (const [cluster, weight] of split) shares.set(cluster, (shares.get(cluster) ?? 0) + weight / total)
  return shares
}

/** What a record tells of the decision. Of a split it knows only the part that was chosen. */
function recorded({ cluster, route, status, flag }: DecisionRecord): Decision {
  if (cluster !== null) return { type: 'forward', route: route ?? '', split: [[cluster, 1]], takes: cluster }
  if (route !== null) return { type: 'respond', route, status }
  return flag === 'NR' ? { type: 'unroutable' } : { type: 'refused', status, reason: 'it was' }
}

/** For a comparison with nothing but a record: chance may choose the recorded cluster again. */
export function favouring({ cluster }: DecisionRecord, after: Decision): Decision {
  if (after.type !== 'forward') return after
  // A record names its cluster and not the subset.
  const split = after.split.map(([name, weight]): [string, number] => [clusterOf(name), weight])
  if (after.takes !== null) return { ...after, split, takes: clusterOf(after.takes) }
  return cluster !== null && split.some(([name]) => name === cluster)
    ? { ...after, split, takes: cluster }
    : { ...after, split }
}

/** Without the subset, which stands behind it in brackets. */
function clusterOf(name: string): string {
  return name.replace(/ \(.*\)$/, '')
}

function isLost({ type }: Decision): boolean {
  return type === 'unroutable' || type === 'no-listener' || type === 'refused'
}

function routeOf(decision: Decision): string | null {
  return 'route' in decision && decision.route !== '' ? decision.route : null
}

export function words(decision: Decision): string {
  switch (decision.type) {
    case 'forward': {
      if (decision.takes !== null) return `cluster ${decision.takes}`
      const parts = [...shares(decision)].map(([cluster, share]) => `${Number((share * 100).toFixed(2))} % ${cluster}`)
      return `chance: ${parts.join(', ')}`
    }
    case 'redirect':
      return `redirect ${decision.status} to ${decision.location}`
    case 'respond':
      return `answer ${decision.status}`
    case 'unroutable':
      return 'no route (404)'
    case 'refused':
      return `${decision.status} before routing: ${decision.reason}`
    case 'no-listener':
      return 'no such listener'
  }
}

/**
 * Checks between destinations and the parts of clusters: subsets that exist, priorities without a gap.
 *
 * Invariant: they read the configuration as it was written, as all checks between entries do.
 */

import { type Labels, subsetLabels } from '../clusters/subset.js'
import type { Finding } from './findings.js'
import type { Path } from './path.js'

type Entry = Record<string, unknown>

/** The subset that a destination names must be one of its cluster's, with an endpoint where nothing stands in for it. */
export function checkSubset(path: Path, { cluster, subset }: Entry, clusters: readonly Entry[]): Finding[] {
  const entry = clusters.find(({ name }) => name === cluster)
  if (entry === undefined || !isSubset(subset)) return []
  const keys = keysOf(entry)
  const found = subsetLabels(subset, keys)
  if ('problem' in found) {
    const hint = keys.length === 0 ? 'give the cluster `subsets: { keys: [[version]] }`' : null
    return [{ path, code: 'WEFT_CONFIG_REFERENCE', message: found.problem, hint }]
  }
  const { fallback = 'none' } = isEntry(entry.subsets) ? entry.subsets : {}
  const endpoints = Array.isArray(entry.endpoints) ? entry.endpoints.map(labelsOf) : []
  const wanted = Object.entries(found.labels)
  const is = (labels: Entry) => wanted.every(([key, value]) => labels[key] === value)
  // Endpoints of a registry are not known here.
  if (fallback !== 'none' || endpoints.length === 0 || endpoints.some(is)) return []
  const message = `no endpoint of cluster ${entry.name} has ${words(found.labels)}`
  const known = new Set(endpoints.flatMap((labels) => describe(wanted, labels)))
  const hint = known.size === 0 ? 'give an endpoint these labels' : `known: ${[...known].slice(0, 8).join('; ')}`
  return [{ path, code: 'WEFT_CONFIG_REFERENCE', message, hint }]
}

/** Priorities of a list are 0, 1, 2 and so on: a gap is a typing mistake, or an endpoint that was forgotten. */
export function checkPriorities(path: Path, endpoints: unknown): Finding[] {
  if (!Array.isArray(endpoints)) return []
  const priorities = endpoints.map((endpoint) => (isEntry(endpoint) ? (endpoint.priority ?? 0) : 0))
  const known = new Set(priorities)
  const misplaced = (priority: unknown): priority is number =>
    Number.isInteger(priority) && Number(priority) > 0 && !known.has(Number(priority) - 1)
  const at = priorities.findIndex(misplaced)
  if (at === -1) return []
  const message = `no endpoint has priority ${Number(priorities[at]) - 1}, which would come before ${priorities[at]}`
  const hint = 'number the priorities 0, 1, 2 without a gap'
  return [{ path: [...path, at, 'priority'], code: 'WEFT_CONFIG_CONTRADICTION', message, hint }]
}

/** Who stands in for a region can be said once it is known which region that is. */
export function checkFailover(path: Path, { localityAware }: Entry, node: unknown): Finding[] {
  const failover = isEntry(localityAware) ? localityAware.failover : null
  if (!Array.isArray(failover) || failover.length === 0) return []
  const region = isEntry(node) ? node.region : null
  const at: Path = [...path, 'localityAware', 'failover']
  const code = 'WEFT_CONFIG_CONTRADICTION'
  if (typeof region !== 'string' || region === '') {
    return [{ path: at, code, message: 'it is not known in which region this proxy runs', hint: 'set node.region' }]
  }
  return failover.flatMap((name, place) => {
    if (name !== region && failover.indexOf(name) === place) return []
    const message =
      name === region ? `${name} is the proxy's own region, which comes first` : `${name} is already in the list`
    return [{ path: [...at, place], code, message, hint: 'leave it out' }]
  })
}

function keysOf({ subsets }: Entry): string[][] {
  const keys = isEntry(subsets) ? subsets.keys : null
  const isSet = (set: unknown) => Array.isArray(set) && set.every((key) => typeof key === 'string')
  return Array.isArray(keys) ? keys.filter(isSet) : []
}

function isSubset(value: unknown): value is string | Labels {
  return typeof value === 'string' || (isEntry(value) && Object.values(value).every((text) => typeof text === 'string'))
}

function labelsOf(endpoint: unknown): Entry {
  return isEntry(endpoint) && isEntry(endpoint.labels) ? endpoint.labels : {}
}

function describe(wanted: [string, string][], labels: Entry): string[] {
  if (!wanted.every(([key]) => key in labels)) return []
  return [words(Object.fromEntries(wanted.map(([key]) => [key, String(labels[key])])))]
}

function words(labels: Labels): string {
  const pairs = Object.entries(labels).map(([key, value]) => `${key}=${value}`)
  return pairs.join(', ')
}

function isEntry(value: unknown): value is Entry {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

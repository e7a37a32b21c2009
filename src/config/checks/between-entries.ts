/**
 * Checks between entries: unique names and addresses, and references that resolve.
 *
 * Invariant: they read the configuration as it was written and skip what has the wrong shape, so that they report
 * beside the findings of the schema and not only after those are mended.
 */
import { memoryAddress } from '../forms/address.js'
import { checkFailover, checkPriorities, checkSubset } from './divisions.js'
import { checkDoor } from './doors.js'
import type { Finding } from './findings.js'
import type { Path } from './path.js'
import { nearest } from './suggest.js'

type Entry = Record<string, unknown>

export function crossCheck(written: unknown): Finding[] {
  const root = isEntry(written) ? written : {}
  const listeners = entries(root.listeners)
  const clusters = entries(root.clusters)
  const routes = entries(root.routes)
  const [listenerNames, clusterNames] = [names(listeners), names(clusters)]
  return [
    ...duplicateNames('listeners', listeners),
    ...duplicateAddresses(root.admin, listeners),
    ...listeners.flatMap(({ index, entry }) => checkDoor(index, entry)),
    ...duplicateNames('routes', routes),
    ...duplicateNames('clusters', clusters),
    ...routes.flatMap((route) => routeReferences(route, listenerNames, clusterNames)),
    ...routes.flatMap((route) => subsetReferences(route, clusters)),
    ...listeners.flatMap((listener) => socketReferences(listener, clusterNames)),
    ...clusters.flatMap(duplicateEndpoints),
    ...clusters.flatMap(({ index, entry }) => checkFailover(['clusters', index], entry, root.node)),
    ...clusters.flatMap(({ index, entry }) => checkPriorities(['clusters', index, 'endpoints'], entry.endpoints)),
  ]
}

function duplicateNames(noun: string, list: Indexed[]): Finding[] {
  const first = new Map<unknown, number>()
  return list.flatMap(({ index, entry }) => {
    if (typeof entry.name !== 'string') return []
    const earlier = first.get(entry.name)
    if (earlier === undefined) {
      first.set(entry.name, index)
      return []
    }
    const message = `${JSON.stringify(entry.name)} is already the name of ${noun}[${earlier}]`
    return [
      { path: [noun, index, 'name'], code: 'WEFT_CONFIG_DUPLICATE' as const, message, hint: 'choose another name' },
    ]
  })
}

/** Port 0 is a fresh port each time, so it is never taken twice. */
function duplicateAddresses(admin: unknown, listeners: Indexed[]): Finding[] {
  const owners = new Map<unknown, string>()
  if (isEntry(admin)) owners.set(admin.address, 'the admin server')
  return listeners.flatMap(({ index, entry }) => {
    const { address } = entry
    if (typeof address !== 'string' || address.endsWith(':0') || address === memoryAddress) return []
    const owner = owners.get(address)
    if (owner === undefined) {
      owners.set(address, `listeners[${index}]`)
      return []
    }
    const message = `${address} is already taken by ${owner}`
    return [
      {
        path: ['listeners', index, 'address'],
        code: 'WEFT_CONFIG_DUPLICATE' as const,
        message,
        hint: 'choose another port',
      },
    ]
  })
}

function routeReferences({ index, entry }: Indexed, listeners: Names, clusters: Names): Finding[] {
  const named = Array.isArray(entry.listeners) ? entry.listeners : []
  return [
    ...named.flatMap((name, i) => reference(['routes', index, 'listeners', i], 'listener', name, listeners)),
    ...(['forward', 'mirror'] as const).flatMap((key) =>
      entries(entry[key]).flatMap(({ index: i, entry: { cluster } }) =>
        reference(['routes', index, key, i, 'cluster'], 'cluster', cluster, clusters),
      ),
    ),
  ]
}

function subsetReferences({ index, entry }: Indexed, clusters: Indexed[]): Finding[] {
  const known = clusters.map(({ entry }) => entry)
  return (['forward', 'mirror'] as const).flatMap((key) =>
    entries(entry[key]).flatMap(({ index: i, entry: target }) =>
      checkSubset(['routes', index, key, i, 'subset'], target, known),
    ),
  )
}

function socketReferences({ index, entry }: Indexed, clusters: Names): Finding[] {
  return entries(entry.sockets).flatMap(({ index: i, entry: { cluster } }) =>
    reference(['listeners', index, 'sockets', i, 'cluster'], 'cluster', cluster, clusters),
  )
}

function reference(path: Path, noun: string, name: unknown, known: Names): Finding[] {
  if (typeof name !== 'string' || known.has(name)) return []
  // Comparing thousands of wrong names with thousands of right ones would take minutes.
  const suggestion = known.size > mostSuggestible ? null : nearest(name, known)
  const hint =
    suggestion !== null
      ? `did you mean ${JSON.stringify(suggestion)}?`
      : known.size > 0
        ? `known: ${[...known].slice(0, 8).join(', ')}`
        : `declare it under ${noun}s`
  return [{ path, code: 'WEFT_CONFIG_REFERENCE', message: `there is no ${noun} named ${JSON.stringify(name)}`, hint }]
}

function duplicateEndpoints({ index, entry }: Indexed): Finding[] {
  const first = new Map<unknown, number>()
  return (Array.isArray(entry.endpoints) ? entry.endpoints : []).flatMap((written, at) => {
    const address = isEntry(written) ? written.address : written
    const earlier = first.get(address)
    if (typeof address !== 'string' || earlier === undefined) {
      first.set(address, at)
      return []
    }
    const message = `${address} is already clusters[${index}].endpoints[${earlier}]`
    const path = ['clusters', index, 'endpoints', at]
    return [{ path, code: 'WEFT_CONFIG_DUPLICATE' as const, message, hint: 'give the first one a weight' }]
  })
}

type Names = ReadonlySet<string>

/** Names among which the nearest to a wrong one is looked for. */
const mostSuggestible = 1_000

interface Indexed {
  index: number
  entry: Entry
}

function entries(value: unknown): Indexed[] {
  if (!Array.isArray(value)) return []
  return value.flatMap((entry, index) => (isEntry(entry) ? [{ index, entry }] : []))
}

function names(list: Indexed[]): Names {
  return new Set(list.flatMap(({ entry }) => (typeof entry.name === 'string' ? [entry.name] : [])))
}

function isEntry(value: unknown): value is Entry {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** A cluster, or a part of one, that something names → its place in the snapshot and the labels of the part. */

import { type Labels, subsetLabels } from '../../config/clusters/subset.js'
import type { ResolvedConfig } from '../../config/config.js'

/** By the cluster's name. */
export type Destinations = ReadonlyMap<string, { index: number; keys: readonly (readonly string[])[] }>

export function destinationsOf(clusters: ResolvedConfig['clusters']): Destinations {
  return new Map(clusters.map(({ name, subsets }, index) => [name, { index, keys: subsets?.keys ?? [] }]))
}

export function compileDestination(
  { cluster, subset }: { cluster: string; subset: string | Labels | null },
  destinations: Destinations,
): { cluster: number; subset: Labels | null } {
  const found = destinations.get(cluster)
  const part = found && subset !== null ? subsetLabels(subset, found.keys) : null
  if (found === undefined || (part !== null && 'problem' in part)) {
    throw new Error(`validation let ${JSON.stringify({ cluster, subset })} through`)
  }
  return { cluster: found.index, subset: part?.labels ?? null }
}

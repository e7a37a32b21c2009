/** Which workloads a policy holds for: by selector, by what it targets, by namespace. */

import type { Mesh } from '../mesh/mesh.js'
import { type MeshNode, selectableLabels } from '../mesh/node.js'
import type { Parsed } from '../mesh/parsed.js'
import { includesLabels } from '../mesh/services.js'

export interface PolicyTarget {
  selector?: { matchLabels: Record<string, string> } | undefined
  targetRefs?: { kind: 'Gateway' | 'Service'; name: string }[] | undefined
}

/** A policy of the root namespace holds everywhere; its selector still selects. */
export function holdsFor(mesh: Mesh, { resource, spec }: Parsed<PolicyTarget>, node: MeshNode): boolean {
  const { namespace } = resource.metadata
  if (namespace !== node.namespace && namespace !== mesh.options.rootNamespace) return false
  return targets(spec, node)
}

export function targets({ targetRefs, selector }: PolicyTarget, node: MeshNode): boolean {
  if (targetRefs !== undefined)
    return targetRefs.some(
      ({ kind, name }) => name === node.service && (kind === 'Gateway') === (node.role === 'gateway'),
    )
  return selector === undefined || includesLabels(selectableLabels(node), selector.matchLabels)
}

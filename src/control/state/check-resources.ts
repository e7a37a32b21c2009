/** Resources checked without a control plane: each by its kind, and all of them together as a mesh of their own. */
import { defaultMeshOptions } from '../compile/mesh/mesh.js'
import { createMeshKinds } from './mesh-kinds.js'
import { resourceOf } from './mesh-state.js'
import { invalid, issuesOf, normalise } from './resource-changes.js'
import type { Notice } from './resource-kinds.js'

/** Throws `WEFT_CONFIG_INVALID` with every issue; else what the mesh gives cause to say. */
export function checkResources(values: readonly unknown[]): readonly Notice[] {
  const kinds = createMeshKinds(defaultMeshOptions)
  const issues = values.flatMap((value, index) => issuesOf(kinds, value, index))
  if (issues.length > 0) throw invalid(issues)
  const resources = values.map((value, index) => {
    const { key, value: kept } = normalise(value as Parameters<typeof normalise>[0])
    const numbers = { version: index + 1, createdRevision: index + 1, createdAtMs: 0, changedAtMs: 0, changedBy: '' }
    return resourceOf({ key, value: kept, ...numbers })
  })
  return kinds.review({ revision: values.length, resources, workloads: [] })
}

/** The kinds of resources that `weft control` takes, and what a mesh of them gives cause to say. */
import type { MeshFinding } from '../compile/finding.js'
import { lintMesh } from '../compile/lint.js'
import { indexMesh, type Mesh, type MeshOptions } from '../compile/mesh/mesh.js'
import { resourceKinds, validateResource } from '../resources/index.js'
import { formatKey } from '../store/key.js'
import type { MeshState } from './mesh-source.js'
import { type Notice, type ResourceKinds, resourceName } from './resource-kinds.js'

export function createMeshKinds(options: MeshOptions): ResourceKinds {
  // What did not change since the last look is not parsed again.
  let last: Mesh | null = null
  return {
    known: resourceKinds.map(({ kind, apiVersions: [first] }) => ({ kind, group: first.split('/')[0] ?? '' })),
    validate: validateResource,
    review(state) {
      last = indexMesh(state, last, options)
      return lintMesh(last).map((finding) => noticeOf(finding, state))
    },
  }
}

function noticeOf({ origin, message, hint }: MeshFinding, state: MeshState): Notice {
  return { resource: originName(origin, state), path: origin.path, message, hint }
}

/** `Kind.group/namespace/name`: an origin says which resource, without its group. */
export function originName(origin: { kind: string; namespace: string; name: string }, state: MeshState): string {
  return namesIn(state.resources).get(formatKey(origin)) ?? formatKey(origin)
}

const names = new WeakMap<MeshState['resources'], ReadonlyMap<string, string>>()

/** By kind without its group; of two groups with one kind the first counts. */
function namesIn(resources: MeshState['resources']): ReadonlyMap<string, string> {
  const known = names.get(resources)
  if (known !== undefined) return known
  const found = new Map<string, string>()
  for (const resource of resources) {
    const { kind, metadata } = resource
    const key = formatKey({ kind, namespace: metadata.namespace, name: metadata.name })
    if (!found.has(key)) found.set(key, resourceName(resource))
  }
  names.set(resources, found)
  return found
}

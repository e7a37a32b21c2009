/** Resources with their specs parsed, kind by kind, oldest first. */
import type * as z from 'zod'
import { type ParsedResource, parseResource, resourceKinds } from '../../resources/index.js'
import type { ResourceKind } from '../../resources/kind.js'
import type { MeshResource } from '../../state/mesh-source.js'

export interface Parsed<Spec> {
  resource: MeshResource
  spec: Spec
}

export interface ParsedKinds {
  of<Kind extends ResourceKind>(kind: Kind): readonly Parsed<z.output<Kind['spec']>>[]
}

const parsedOnce = new WeakMap<MeshResource, ParsedResource | null>()

/**
 * Lists, and the whole, keep their identity while no resource changed. A resource that does not pass the check (the store
 * holds none) is left out.
 */
export function parseKinds(resources: readonly MeshResource[], previous: ParsedKinds | null): ParsedKinds {
  const lists = new Map<ResourceKind, Parsed<unknown>[]>(resourceKinds.map((kind) => [kind, []]))
  for (const resource of [...resources].sort(olderFirst)) {
    const parsed = parseOnce(resource)
    if (parsed !== null) lists.get(parsed.declaration)?.push({ resource, spec: parsed.spec })
  }
  const kept = new Map<ResourceKind, readonly Parsed<unknown>[]>()
  let unchanged = previous !== null
  for (const [kind, list] of lists) {
    const before: readonly Parsed<unknown>[] = previous?.of(kind) ?? []
    const same =
      before.length === list.length && list.every(({ resource }, index) => before[index]?.resource === resource)
    kept.set(kind, same ? before : list)
    unchanged &&= same
  }
  if (unchanged && previous !== null) return previous
  return { of: (kind) => (kept.get(kind) ?? []) as readonly Parsed<never>[] }
}

/** The one order between resources: the older first, then by namespace and name. */
export function olderFirst(a: MeshResource, b: MeshResource): number {
  if (a.createdRevision !== b.createdRevision) return a.createdRevision - b.createdRevision
  const [left, right] = [a, b].map(({ metadata: { namespace, name } }) => `${namespace}/${name}`) as [string, string]
  return left < right ? -1 : left > right ? 1 : 0
}

function parseOnce(resource: MeshResource): ParsedResource | null {
  const known = parsedOnce.get(resource)
  if (known !== undefined) return known
  const parsed = parseResource(resource)
  parsedOnce.set(resource, parsed)
  return parsed
}

/** The key of a resource from the parts of a path. */
import { type ResourceKinds, resolveKind } from '../state/resource-kinds.js'
import type { Key } from '../store/key.js'

export function keyOf(
  { kind = '', namespace = '', name = '' }: Readonly<Record<string, string>>,
  kinds: ResourceKinds,
): Key {
  return { kind: resolveKind(kind, kinds), namespace, name }
}

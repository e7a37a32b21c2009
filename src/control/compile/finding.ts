/** What compiling says about resources beside their result: conflicts, shadowed rules, references that lead nowhere. */
import type { Code } from '../../errors.js'
import type { MeshResource } from '../state/mesh-source.js'
import type { Origin } from './nouns.js'

export interface MeshFinding {
  /** `error`: a part has no effect; `warning`: it has, and perhaps not the one that was meant. */
  severity: 'error' | 'warning'
  code: Code
  origin: Origin
  message: string
  hint: string | null
  /** It keeps the resource from being in force on the data plane that it was found for. */
  stops?: true
}

/** Each of several that say the same once. */
export function distinctFindings(findings: readonly MeshFinding[]): MeshFinding[] {
  const keyed = findings.map((one) => [JSON.stringify([one.code, one.origin, one.message]), one] as const)
  return [...new Map(keyed).values()]
}

export function originOf({ kind, metadata: { namespace, name } }: MeshResource, path: string): Origin {
  return { kind, namespace, name, path }
}

/** `HTTPRoute default/reviews-canary` */
export function describeOrigin({ kind, namespace, name }: Origin): string {
  return `${kind} ${namespace}/${name}`
}

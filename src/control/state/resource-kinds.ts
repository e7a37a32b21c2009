/**
 * The seam to the kinds of resources: which there are, whether a value is a good one, what a mesh of them would mean.
 *
 * A kind is known in the store as `Kind.group`; people may write it in any case, in the plural, without the group where
 * that is clear.
 */
import { WeftError } from '../../errors.js'
import { formatKey } from '../store/key.js'
import type { MeshResource, MeshState } from './mesh-source.js'

export interface ResourceIssue {
  path: string
  code: string
  message: string
  hint: string | null
}

/** Something worth saying about resources that are good by themselves: a conflict, a rule that never matches. */
export interface Notice {
  /** `Kind.group/namespace/name`. */
  resource: string
  path: string
  message: string
  hint: string | null
}

export interface ResourceKinds {
  known: readonly { kind: string; group: string }[]
  validate(value: unknown): { ok: boolean; issues: readonly ResourceIssue[] }
  /** Looks at a mesh as it would be. */
  review(state: MeshState): readonly Notice[]
}

/** `gateway.networking.k8s.io/v1` and `HTTPRoute` → `HTTPRoute.gateway.networking.k8s.io`. */
export function kindId(apiVersion: string, kind: string): string {
  return `${kind}.${apiVersion.split('/')[0]}`
}

/** `Kind.group/namespace/name`. */
export function resourceName({ apiVersion, kind, metadata: { namespace, name } }: MeshResource): string {
  return formatKey({ kind: kindId(apiVersion, kind), namespace, name })
}

/** The kind that a person means. Throws `WEFT_API_KIND` when there is none or more than one. */
export function resolveKind(written: string, { known }: Pick<ResourceKinds, 'known'>): string {
  const wanted = written.toLowerCase()
  const ids = known.map(({ kind, group }) => `${kind}.${group}`)
  const exact = ids.find((id) => id.toLowerCase() === wanted)
  if (exact !== undefined) return exact
  const fits = known.filter(({ kind, group }) => {
    const [name = '', ...rest] = wanted.split('.')
    const singular = kind.toLowerCase()
    const named = [singular, `${singular}s`, singular.replace(/y$/, 'ies')].includes(name)
    return named && (rest.length === 0 || group.startsWith(rest.join('.')))
  })
  const [only, ...others] = fits.map(({ kind, group }) => `${kind}.${group}`)
  if (only !== undefined && others.length === 0) return only
  if (only !== undefined) {
    throw new WeftError('WEFT_API_KIND', `${JSON.stringify(written)} is the name of ${fits.length} kinds`, {
      hint: `say which: ${[only, ...others].join(' or ')}`,
    })
  }
  throw new WeftError('WEFT_API_KIND', `there is no kind ${JSON.stringify(written)}`, {
    hint: `known: ${known.map(({ kind }) => kind).join(', ')}`,
  })
}

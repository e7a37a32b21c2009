/** Which PeerAuthentication holds for a workload: one that selects it, then its namespace's, then the mesh's. */
import { peerAuthentication } from '../../resources/peer-authentication.js'
import { originOf } from '../finding.js'
import type { Mesh } from '../mesh/mesh.js'
import { includesLabels } from '../mesh/services.js'
import type { Origin } from '../nouns.js'

export type PeerMode = 'strict' | 'permissive' | 'disabled'

export interface PeerModeFound {
  mode: PeerMode
  origin: Origin | null
}

/** Without a policy a workload takes both, as in Istio. */
export function peerMode(mesh: Mesh, namespace: string, labels: Readonly<Record<string, string>>): PeerModeFound {
  const all = mesh.kinds.of(peerAuthentication).filter(({ spec }) => spec.mtls.mode !== 'UNSET')
  const own = all.filter(({ resource }) => resource.metadata.namespace === namespace)
  const selecting = own.find(
    ({ spec }) => spec.selector !== undefined && includesLabels(labels, spec.selector.matchLabels),
  )
  const wide = own.find(({ spec }) => spec.selector === undefined)
  const root = all.find(
    ({ resource, spec }) => resource.metadata.namespace === mesh.options.rootNamespace && spec.selector === undefined,
  )
  const found = selecting ?? wide ?? root
  if (found === undefined) return { mode: 'permissive', origin: null }
  const modes = { STRICT: 'strict', PERMISSIVE: 'permissive', DISABLE: 'disabled', UNSET: 'permissive' } as const
  return { mode: modes[found.spec.mtls.mode], origin: originOf(found.resource, 'spec.mtls') }
}

/** Which PeerAuthentication holds for a workload: one that selects it, for its port or at all, then its namespace's, then the mesh's. */
import { type PeerAuthenticationSpec, peerAuthentication } from '../../resources/peer-authentication.js'
import { originOf } from '../finding.js'
import type { Mesh } from '../mesh/mesh.js'
import type { Parsed } from '../mesh/parsed.js'
import { includesLabels } from '../mesh/services.js'
import type { Origin } from '../nouns.js'

export type PeerMode = 'strict' | 'permissive' | 'disabled'

export interface PeerModeFound {
  mode: PeerMode
  origin: Origin | null
}

type Labels = Readonly<Record<string, string>>
type Mode = PeerAuthenticationSpec['mtls']['mode']

const modes = { STRICT: 'strict', PERMISSIVE: 'permissive', DISABLE: 'disabled', UNSET: 'permissive' } as const

/** `port`: where the workload is called; null: what holds for ports that nothing is said of. Without a policy it takes both, as in Istio. */
export function peerMode(mesh: Mesh, namespace: string, labels: Labels, port: number | null): PeerModeFound {
  const all = mesh.kinds.of(peerAuthentication)
  const own = all.filter(({ resource }) => resource.metadata.namespace === namespace)
  const selecting = own.filter(({ spec }) => spec.selector !== undefined && selects(spec, labels))
  const ofPort = selecting.find(({ spec }) => portMode(spec, port) !== 'UNSET')
  if (ofPort !== undefined)
    return {
      mode: modes[portMode(ofPort.spec, port)],
      origin: originOf(ofPort.resource, `spec.portLevelMtls["${port}"]`),
    }
  const isWide = ({ resource, spec }: Parsed<PeerAuthenticationSpec>) =>
    resource.metadata.namespace === mesh.options.rootNamespace && spec.selector === undefined
  const found =
    selecting.find(speaks) ??
    own.find((one) => one.spec.selector === undefined && speaks(one)) ??
    all.find((one) => isWide(one) && speaks(one))
  if (found === undefined) return { mode: 'permissive', origin: null }
  return { mode: modes[found.spec.mtls.mode], origin: originOf(found.resource, 'spec.mtls') }
}

/** The policy by which the workloads of a service differ from port to port; null: there is none. */
export function portLevelOrigin(mesh: Mesh, namespace: string, service: string): Origin | null {
  const found = mesh.kinds
    .of(peerAuthentication)
    .find(
      ({ resource, spec }) =>
        resource.metadata.namespace === namespace &&
        Object.values(spec.portLevelMtls).some(({ mode }) => mode !== 'UNSET') &&
        ['app', 'weft.io/service'].every((label) => (spec.selector?.matchLabels[label] ?? service) === service),
    )
  return found === undefined ? null : originOf(found.resource, 'spec.portLevelMtls')
}

function speaks({ spec }: Parsed<PeerAuthenticationSpec>): boolean {
  return spec.mtls.mode !== 'UNSET'
}

function selects({ selector }: PeerAuthenticationSpec, labels: Labels): boolean {
  return includesLabels(labels, selector?.matchLabels ?? {})
}

function portMode({ portLevelMtls }: PeerAuthenticationSpec, port: number | null): Mode {
  return portLevelMtls[String(port)]?.mode ?? 'UNSET'
}

/**
 * Certificates and roots that DestinationRules name (`credentialName`): which clusters need which, and who may have them.
 *
 * Invariant: a workload gets a key only from a rule that selects it, as in Istio; without, it does not call the service.
 */
import type { MeshFinding } from '../finding.js'
import type { Cluster, Origin } from '../nouns.js'
import type { CompiledCluster } from './clusters.js'

export interface Credential {
  /** Under which a data plane asks for it. */
  secret: string
  /** `NAMESPACE/NAME` */
  name: string
  part: 'certificate' | 'authorities'
  cluster: string
  origin: Origin | null
}

const known = new WeakMap<readonly Cluster[], readonly Credential[]>()

/** Worked out once for all data planes with the same list. */
export function credentialsOf(clusters: readonly Cluster[]): readonly Credential[] {
  const found = known.get(clusters) ?? clusters.flatMap(credentialsOfCluster)
  known.set(clusters, found)
  return found
}

function credentialsOfCluster({ name: cluster, tls, origins }: Cluster): Credential[] {
  const [origin = null] = origins
  const named = (part: Credential['part'], from: { secret: string; credential: string }): Credential => {
    return { secret: from.secret, name: from.credential, part, cluster, origin }
  }
  const { certificate = null, roots = null } = tls ?? {}
  return [
    ...(certificate !== null && 'credential' in certificate ? [named('certificate', certificate)] : []),
    ...(roots !== null && 'credential' in roots ? [named('authorities', roots)] : []),
  ]
}

/** As a workload has it: closed where only gateways may have what it needs. */
export function forWorkloads(compiled: CompiledCluster): CompiledCluster {
  const { cluster, service, selectsWorkloads, findings } = compiled
  const [needed] = credentialsOfCluster(cluster)
  if (needed === undefined || needed.origin === null || selectsWorkloads) return compiled
  const finding: MeshFinding = {
    ...{ severity: 'warning', code: 'WEFT_MESH_REFERENCE', origin: needed.origin },
    message: `workloads do not call ${service.key}: credentialName holds at gateways, and at workloads that the rule selects`,
    hint: 'add a workloadSelector, or call it through a gateway',
  }
  return { ...closed(compiled), findings: [...findings, finding] }
}

/** Without endpoints, whatever there is. */
export function closed(compiled: CompiledCluster): CompiledCluster {
  return { ...compiled, cluster: { ...compiled.cluster, discovery: { type: 'mesh' }, tls: null }, isClosed: true }
}

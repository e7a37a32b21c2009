/**
 * A service is steered by routes of the Gateway API or by VirtualServices, never by both: the family of the oldest resource
 * holds, the resources of the other are reported.
 */
import type { MeshResource } from '../../state/mesh-source.js'
import { describeOrigin, type MeshFinding, originOf } from '../finding.js'
import { olderFirst } from '../mesh/parsed.js'

/** Both lists: the oldest first, and each resource as often as it likes. `steered`: what both would steer. */
export function settleFamilies(
  gateway: readonly MeshResource[],
  virtual: readonly MeshResource[],
  steered: string,
): { gatewayHolds: boolean; findings: MeshFinding[] } {
  const [oldestGateway, oldestVirtual] = [gateway[0], virtual[0]]
  if (oldestGateway === undefined || oldestVirtual === undefined)
    return { gatewayHolds: oldestVirtual === undefined, findings: [] }
  const gatewayHolds = olderFirst(oldestGateway, oldestVirtual) < 0
  const [winner, losers] = gatewayHolds ? [oldestGateway, virtual] : [oldestVirtual, gateway]
  const conflict = (resource: MeshResource): MeshFinding => ({
    ...{ severity: 'error', code: 'WEFT_MESH_CONFLICT', origin: originOf(resource, 'spec') },
    message: `${describeOrigin(originOf(winner, ''))} is older and steers ${steered} already`,
    hint: 'use routes of the Gateway API or VirtualServices for a service, not both',
  })
  return { gatewayHolds, findings: [...new Set(losers)].map(conflict) }
}

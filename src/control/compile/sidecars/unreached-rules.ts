/** Rules for connections inside of the mesh that no data plane can have: said at apply, with the place and a hint. */
import type { TcpRouteSpec } from '../../resources/tcp-route.js'
import { virtualService } from '../../resources/virtual-service.js'
import { type MeshFinding, originOf } from '../finding.js'
import { attachments } from '../mesh/attachments.js'
import { findPort, type Mesh } from '../mesh/mesh.js'
import type { ServiceDefinition, ServicePort } from '../mesh/services.js'

type ParentPort = Pick<TcpRouteSpec['parentRefs'][number], 'port'>

const carriedBy: Record<string, ServicePort['protocol']> = { TLSRoute: 'tls', TCPRoute: 'tcp' }

/** Why a route for connections has no effect on a service that is its parent; null: it has, or is of another kind. */
export function unfitPort(kind: string, service: ServiceDefinition, { port }: ParentPort): [string, string] | null {
  const wanted = carriedBy[kind]
  if (wanted === undefined) return null
  const named = port === undefined ? null : findPort(service, port)
  const ports = named === null ? service.ports : [named]
  if (ports.some(({ protocol, number }) => protocol === wanted && number !== null)) return null
  const at = port === undefined ? '' : ` at port ${port}`
  const hint = `it hangs on a port of protocol ${wanted.toUpperCase()} that has one number: of a ServiceEntry, or registered under a name that begins with ${wanted}`
  return [`${service.key} carries no ${kind}${at}`, hint]
}

/** VirtualServices whose `tls` or `tcp` is for no port of any service. */
export function unreachedRules(mesh: Mesh): MeshFinding[] {
  const { services } = attachments(mesh)
  return mesh.kinds.of(virtualService).flatMap(({ resource, spec }) => {
    if (!spec.gateways.includes('mesh')) return []
    return (['tls', 'tcp'] as const).flatMap((part): MeshFinding[] => {
      if (spec[part].length === 0) return []
      const steered = mesh.definitions.filter(({ key }) =>
        services.get(key)?.connectionRules.some((one) => one.resource === resource),
      )
      if (steered.some(({ ports }) => ports.some((one) => one.protocol === part && one.number !== null))) return []
      const message = `none of the hosts is a service with a port of protocol ${part.toUpperCase()}`
      const hint = 'it has an effect in the mesh when a ServiceEntry names one'
      const origin = originOf(resource, `spec.${part}`)
      return [{ severity: 'warning', code: 'WEFT_MESH_REFERENCE', origin, message, hint }]
    })
  })
}

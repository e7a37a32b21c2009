/** Rules of VirtualServices for ports that none of their services has: they take no requests. */
import { virtualService } from '../../resources/virtual-service.js'
import { type MeshFinding, originOf } from '../finding.js'
import { findService, type Mesh } from '../mesh/mesh.js'

export function unknownPorts(mesh: Mesh): MeshFinding[] {
  return mesh.kinds.of(virtualService).flatMap(({ resource, spec }) => {
    const known = portsOf(mesh, spec.hosts, resource.metadata.namespace)
    if (known === null || spec.gateways.some((one) => one !== 'mesh')) return []
    return spec.http.flatMap(({ match }, index) =>
      match.flatMap(({ port }, at): MeshFinding[] => {
        if (port === undefined || known.has(port)) return []
        const origin = originOf(resource, `spec.http[${index}].match[${at}].port`)
        const message = `${spec.hosts.join(', ')} has no port ${port}`
        const hint = `it has ${[...known].join(', ')}`
        return [{ severity: 'warning', code: 'WEFT_MESH_REFERENCE', origin, message, hint }]
      }),
    )
  })
}

/** Null where one of the hosts may have any. */
function portsOf(mesh: Mesh, hosts: readonly string[], namespace: string): ReadonlySet<number> | null {
  const services = hosts.map((host) => findService(mesh, host, namespace))
  const ports = services.flatMap((service) => (service?.ports ?? [null]).map((port) => port?.number ?? null))
  const numbers = ports.filter((number) => number !== null)
  return numbers.length === ports.length && numbers.length > 0 ? new Set(numbers) : null
}

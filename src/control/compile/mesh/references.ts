/** From the service that a route names to the cluster that answers, or to the reason why none does. */

import { destinationRule } from '../../resources/destination-rule.js'
import { referenceGrant } from '../../resources/reference-grant.js'
import type { MeshResource } from '../../state/mesh-source.js'
import { type MeshFinding, originOf } from '../finding.js'
import { clusterName, findPort, findService, type Mesh } from './mesh.js'

export interface ServiceReference {
  host: string
  /** The namespace in which the name is looked up. */
  namespace: string
  port: number | undefined
  subset: string | undefined
}

export interface Reference {
  cluster: string
  findings: MeshFinding[]
}

/** A cluster of this name is in no mesh: requests to it are answered with an error, their share of a canary included. */
const nowhere = 'unresolved'

export function isNowhere(cluster: string): boolean {
  return cluster.startsWith(`${nowhere}/`)
}

export function resolveReference(mesh: Mesh, from: MeshResource, path: string, reference: ServiceReference): Reference {
  const { host, namespace, port, subset } = reference
  const lost = (message: string, hint: string | null): Reference => ({
    cluster: `${nowhere}/${namespace}/${host}`,
    findings: [{ severity: 'error', code: 'WEFT_MESH_REFERENCE', origin: originOf(from, path), message, hint }],
  })
  const service = findService(mesh, host, namespace)
  if (service === null)
    return lost(
      `there is no service ${host} in namespace ${namespace}`,
      'it appears when a workload registers or a ServiceEntry names it',
    )
  if (service.namespace !== from.metadata.namespace && !isGranted(mesh, from, service))
    return lost(
      `${service.namespace}/${service.name} stands in another namespace`,
      `a ReferenceGrant in ${service.namespace} allows it`,
    )
  const found = findPort(service, port)
  if (found === null) {
    const known = service.ports.map(({ number, name }) => number ?? name).join(', ')
    return lost(`${service.name} has no port ${port ?? ''}`.trimEnd(), `it has ${known}`)
  }
  if (subset !== undefined && !subsetExists(mesh, service.key, subset))
    return lost(`${service.name} has no subset ${subset}`, 'a DestinationRule for the service declares its subsets')
  return { cluster: clusterName(service, found, subset), findings: [] }
}

function subsetExists(mesh: Mesh, key: string, subset: string): boolean {
  return mesh.kinds
    .of(destinationRule)
    .some(
      ({ resource, spec }) =>
        findService(mesh, spec.host, resource.metadata.namespace)?.key === key &&
        spec.subsets.some(({ name }) => name === subset),
    )
}

/** Routes of the Gateway API need a grant to name a service of another namespace; Istio's kinds never did. */
function isGranted(mesh: Mesh, from: MeshResource, service: { namespace: string; name: string }): boolean {
  if (!from.apiVersion.startsWith('gateway.networking.k8s.io/')) return true
  return mesh.kinds
    .of(referenceGrant)
    .some(
      ({ resource, spec }) =>
        resource.metadata.namespace === service.namespace &&
        spec.from.some(({ kind, namespace }) => kind === from.kind && namespace === from.metadata.namespace) &&
        spec.to.some(({ name }) => name === undefined || name === service.name),
    )
}

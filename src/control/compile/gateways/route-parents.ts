/** Routes of the Gateway API whose parents are not there, or take none of them: said at apply, with the place and a hint. */

import { type GatewayListener, type GatewaySpec, gateway } from '../../resources/gateway.js'
import { grpcRoute } from '../../resources/grpc-route.js'
import { httpRoute } from '../../resources/http-route.js'
import { tcpRoute } from '../../resources/tcp-route.js'
import { tlsRoute } from '../../resources/tls-route.js'
import type { MeshResource } from '../../state/mesh-source.js'
import { type MeshFinding, originOf } from '../finding.js'
import { findService, type Mesh } from '../mesh/mesh.js'
import type { Parsed } from '../mesh/parsed.js'
import { unfitPort } from '../sidecars/unreached-rules.js'
import { allows, carries, namesGateway, namesListener, type ParentRef } from './listener-routes.js'
import { anyName, sharedHosts } from './server-names.js'

type AnyRoute = Parsed<{ parentRefs: ParentRef[]; hostnames?: string[] }>

export function routeParents(mesh: Mesh): MeshFinding[] {
  const { of } = mesh.kinds
  const routes: AnyRoute[] = [...of(httpRoute), ...of(grpcRoute), ...of(tlsRoute), ...of(tcpRoute)]
  return routes.flatMap((route) => {
    const parents = route.spec.parentRefs.map((ref, index) => parentOf(mesh, route.resource, ref, index))
    const listeners = parents.flatMap((parent) => parent.listeners)
    return [...parents.flatMap(({ finding }) => finding ?? []), ...strangeNames(route, listeners)]
  })
}

/** The listeners that a route hangs on through one of its references, or why there are none. */
interface Parent {
  listeners: readonly GatewayListener[]
  finding: MeshFinding | null
}

function parentOf(mesh: Mesh, route: MeshResource, ref: ParentRef, index: number): Parent {
  const { kind, name, namespace = route.metadata.namespace } = ref
  const lost = (message: string, hint: string): Parent => {
    const origin = originOf(route, `spec.parentRefs[${index}]`)
    return { listeners: [], finding: { severity: 'warning', code: 'WEFT_MESH_REFERENCE', origin, message, hint } }
  }
  const gone = () => lost(`there is no ${kind} ${namespace}/${name}`, 'it has no effect until there is')
  if (kind === 'Service') {
    const service = findService(mesh, name, namespace)
    if (service === null) return gone()
    const unfit = unfitPort(route.kind, service, ref)
    return unfit === null ? { listeners: [], finding: null } : lost(...unfit)
  }
  const found = mesh.kinds.of(gateway).find(({ resource }) => namesGateway(ref, route, resource))
  return found === undefined ? gone() : listenersOf(found, route, ref, lost)
}

function listenersOf(
  { resource, spec }: Parsed<GatewaySpec>,
  route: MeshResource,
  ref: ParentRef,
  lost: (message: string, hint: string) => Parent,
): Parent {
  const { kind, metadata } = route
  const of = `Gateway ${resource.metadata.namespace}/${resource.metadata.name}`
  const named = spec.listeners.filter((listener) => namesListener(ref, listener))
  if (named.length === 0) {
    const known = spec.listeners.map(({ name, port }) => `${name} (port ${port})`).join(', ')
    return lost(`${of} has no such listener`, `it has ${known}`)
  }
  const carrying = named.filter((listener) => carries(listener, route))
  if (carrying.length === 0)
    return lost(
      `${of} carries no ${kind} at ${named.map(spoken).join(', ')}`,
      `a ${kind} hangs on ${homes[kind] ?? ''}`,
    )
  const allowing = carrying.filter((listener) => allows(resource, listener, route))
  if (allowing.length > 0) return { listeners: allowing, finding: null }
  const message = `${of} allows no ${kind} of namespace ${metadata.namespace} at ${carrying.map(spoken).join(', ')}`
  return lost(message, 'allowedRoutes of the listener say what may hang on it')
}

function spoken({ name, protocol, tls }: GatewayListener): string {
  return `${name} (${protocol}${protocol === 'TLS' && tls?.mode !== undefined ? ` ${tls.mode}` : ''})`
}

const homes: Record<string, string> = {
  HTTPRoute: 'a listener of protocol HTTP or HTTPS',
  GRPCRoute: 'a listener of protocol HTTP or HTTPS',
  TLSRoute: 'a listener of protocol TLS',
  TCPRoute: 'a listener of protocol TCP, or TLS with mode Terminate',
}

/** Names that no listener of the route is for. */
function strangeNames({ resource, spec }: AnyRoute, listeners: readonly GatewayListener[]): MeshFinding[] {
  const { hostnames = [] } = spec
  if (listeners.length === 0) return []
  const known = [...new Set(listeners.map(({ hostname = anyName }) => hostname))]
  return hostnames.flatMap((name, index): MeshFinding[] => {
    if (known.some((listener) => sharedHosts([name.toLowerCase()], listener.toLowerCase()).length > 0)) return []
    const origin = originOf(resource, `spec.hostnames[${index}]`)
    const message = `no listener that the route hangs on is for ${name}`
    const hint = `they are for ${known.join(', ')}`
    return [{ severity: 'warning', code: 'WEFT_MESH_REFERENCE', origin, message, hint }]
  })
}

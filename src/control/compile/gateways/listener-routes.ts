/** Which routes hang on which listener of a Gateway: what the route names, and what the listener allows. */

import { type GatewayListener, type RouteKind, routeKindsOf } from '../../resources/gateway.js'
import type { MeshResource } from '../../state/mesh-source.js'
import type { Parsed } from '../mesh/parsed.js'

export interface ParentRef {
  kind: string
  name: string
  namespace?: string | undefined
  sectionName?: string | undefined
  port?: number | undefined
}

export type Attachable = Parsed<{ parentRefs: ParentRef[] }>

/** Where among the route's parentRefs the listener is named; null: the route does not hang on it. */
export function attachment(gateway: MeshResource, listener: GatewayListener, route: Attachable): string | null {
  if (!carries(listener, route.resource) || !allows(gateway, listener, route.resource)) return null
  const index = route.spec.parentRefs.findIndex(
    (ref) => namesGateway(ref, route.resource, gateway) && namesListener(ref, listener),
  )
  return index === -1 ? null : `spec.parentRefs[${index}]`
}

export function namesGateway({ kind, name, namespace }: ParentRef, route: MeshResource, gateway: MeshResource) {
  const place = namespace ?? route.metadata.namespace
  return kind === 'Gateway' && name === gateway.metadata.name && place === gateway.metadata.namespace
}

export function namesListener({ sectionName, port }: ParentRef, listener: GatewayListener): boolean {
  return (sectionName === undefined || sectionName === listener.name) && (port === undefined || port === listener.port)
}

/** Whether the protocol of the listener can carry routes of the kind. */
export function carries(listener: GatewayListener, { kind }: MeshResource): boolean {
  return routeKindsOf(listener).includes(kind as RouteKind)
}

export function allows(gateway: MeshResource, { allowedRoutes }: GatewayListener, route: MeshResource): boolean {
  const { namespaces, kinds } = allowedRoutes
  const here = namespaces.from === 'All' || route.metadata.namespace === gateway.metadata.namespace
  return here && (kinds.length === 0 || kinds.some(({ kind }) => kind === route.kind))
}

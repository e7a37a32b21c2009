/**
 * The routes of one service, or of one host that only VirtualServices name, for the clients of a namespace.
 *
 * Invariant: a service is steered by routes of the Gateway API or by VirtualServices, never by a mixture whose order
 * nobody could tell: where both exist, the family of the oldest resource holds and each of the others is reported.
 */

import type { HttpRouteSpec } from '../../resources/http-route.js'
import type { VirtualServiceSpec } from '../../resources/virtual-service.js'
import { describeOrigin, type MeshFinding, originOf } from '../finding.js'
import { attachments } from '../mesh/attachments.js'
import { clusterName, findPort, hostNames, isVisible, keep, type Mesh } from '../mesh/mesh.js'
import { olderFirst, type Parsed } from '../mesh/parsed.js'
import type { ServiceDefinition, ServicePort } from '../mesh/services.js'
import type { HostRoutes, Route } from '../nouns.js'
import { type CompiledRoutes, defaultRetry, grpcRouteRoutes, httpRouteRoutes } from './http-routes.js'
import { byPrecedence, findShadowed } from './order.js'
import { virtualServiceRoutes } from './virtual-service-routes.js'

export interface CompiledHost {
  host: HostRoutes
  findings: MeshFinding[]
}

export function serviceRoutes(
  mesh: Mesh,
  service: ServiceDefinition,
  port: ServicePort,
  namespace: string,
): CompiledHost {
  const cluster = clusterName(service, port)
  return keep(mesh, `routes ${cluster} for ${namespace}`, () => {
    const { routes, findings } = steer(mesh, service, port, namespace)
    const names = hostNames(service, namespace, mesh.options)
    const first = service.ports.find(({ protocol }) => protocol !== 'tcp') === port
    const numbered = port.number === null ? [] : names.map((name) => `${name}:${port.number}`)
    const hosts = first ? names.flatMap((name) => [name, `${name}:*`]) : numbered
    const all = routes.length > 0 ? routes : [defaultRoute(cluster)]
    return { host: { name: cluster, hosts, routes: all }, findings: [...findings, ...findShadowed(all)] }
  })
}

/** Hosts that only VirtualServices know, such as names outside the mesh. */
export function foreignHosts(mesh: Mesh, namespace: string): CompiledHost[] {
  return keep(mesh, `foreign hosts for ${namespace}`, () =>
    [...attachments(mesh).hosts].flatMap(([host, written]): CompiledHost[] => {
      const applying = written.filter((route) => isMeshWide(route) && visible(route, namespace))
      if (applying.length === 0) return []
      const { routes, findings } = inListOrder(mesh, applying, namespace)
      const hosts = host === '*' || host.startsWith('*.') ? [host] : [host, `${host}:*`]
      return [{ host: { name: `host/${host}`, hosts, routes }, findings: [...findings, ...findShadowed(routes)] }]
    }),
  )
}

export function defaultRoute(cluster: string): Route {
  return {
    name: 'default',
    match: { path: { prefix: '/' }, method: null, headers: [], query: [] },
    action: { forward: [{ cluster, weight: 1, requestHeaders: null, responseHeaders: null }] },
    timeoutMs: 0,
    retry: defaultRetry,
    requestHeaders: null,
    responseHeaders: null,
    rewrite: null,
    mirror: [],
    fault: null,
    cors: null,
    externalAuth: null,
    origin: null,
  }
}

function steer(mesh: Mesh, service: ServiceDefinition, port: ServicePort, namespace: string): CompiledRoutes {
  const attached = attachments(mesh).services.get(service.key)
  if (attached === undefined) return { routes: [], findings: [] }
  const applies = ({ resource, spec }: Parsed<Pick<HttpRouteSpec, 'parentRefs'>>) =>
    [service.namespace, namespace].includes(resource.metadata.namespace) &&
    spec.parentRefs.some(
      (ref) =>
        ref.kind === 'Service' &&
        ref.name === service.name &&
        (ref.port === undefined || findPort(service, ref.port) === port),
    )
  const http = attached.httpRoutes.filter(applies)
  const grpc = attached.grpcRoutes.filter(applies)
  const virtual = attached.virtualServices.filter((route) => isMeshWide(route) && visible(route, namespace))
  const gateway = [...http, ...grpc].map(({ resource }) => resource).sort(olderFirst)
  const [oldestGateway, oldestVirtual] = [gateway[0], virtual[0]?.resource]
  if (oldestGateway !== undefined && oldestVirtual !== undefined) {
    const gatewayHolds = olderFirst(oldestGateway, oldestVirtual) < 0
    const winner = gatewayHolds ? oldestGateway : oldestVirtual
    const losers = gatewayHolds ? virtual.map(({ resource }) => resource) : gateway
    const findings = losers.map(
      (resource): MeshFinding => ({
        severity: 'error',
        code: 'WEFT_MESH_CONFLICT',
        origin: originOf(resource, 'spec'),
        message: `${describeOrigin(originOf(winner, ''))} is older and steers ${service.key} already`,
        hint: 'use routes of the Gateway API or VirtualServices for a service, not both',
      }),
    )
    const kept = gatewayHolds ? inGatewayOrder(mesh, http, grpc) : inListOrder(mesh, virtual, namespace)
    return { routes: kept.routes, findings: [...kept.findings, ...findings] }
  }
  return virtual.length > 0 ? inListOrder(mesh, virtual, namespace) : inGatewayOrder(mesh, http, grpc)
}

type GrpcRoutes = Parameters<typeof grpcRouteRoutes>[1][]

export function inGatewayOrder(mesh: Mesh, http: Parsed<HttpRouteSpec>[], grpc: GrpcRoutes): CompiledRoutes {
  const parts = [
    ...http.map((route) => ({ resource: route.resource, ...httpRouteRoutes(mesh, route) })),
    ...grpc.map((route) => ({ resource: route.resource, ...grpcRouteRoutes(mesh, route) })),
  ].sort((a, b) => olderFirst(a.resource, b.resource))
  return {
    routes: byPrecedence(parts.flatMap(({ routes }) => routes)),
    findings: parts.flatMap(({ findings }) => findings),
  }
}

/** Several VirtualServices for a host follow each other, the older first; that they do is said. */
export function inListOrder(
  mesh: Mesh,
  virtual: Parsed<VirtualServiceSpec>[],
  namespace: string,
  gateway = 'mesh',
): CompiledRoutes {
  const [first, ...others] = virtual
  const parts = virtual.map((route) => virtualServiceRoutes(mesh, route, { namespace, gateway }))
  const findings = others.map(
    ({ resource }): MeshFinding => ({
      severity: 'warning',
      code: 'WEFT_MESH_CONFLICT',
      origin: originOf(resource, 'spec.hosts'),
      message: `shares a host with the older ${first === undefined ? '' : describeOrigin(originOf(first.resource, ''))}, whose rules come first`,
      hint: 'write the rules of a host in one VirtualService',
    }),
  )
  return {
    routes: parts.flatMap(({ routes }) => routes),
    findings: [...parts.flatMap((part) => part.findings), ...findings],
  }
}

function isMeshWide({ spec }: Parsed<VirtualServiceSpec>): boolean {
  return spec.gateways.includes('mesh')
}

function visible({ resource, spec }: Parsed<VirtualServiceSpec>, namespace: string): boolean {
  return isVisible(spec.exportTo, resource.metadata.namespace, namespace)
}

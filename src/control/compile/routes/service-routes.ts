/**
 * The routes of one service, or of one host that only VirtualServices name, for the clients of a namespace: of one family.
 */

import type { HttpRouteSpec } from '../../resources/http-route.js'
import type { VirtualServiceSpec } from '../../resources/virtual-service.js'
import { describeOrigin, type MeshFinding, originOf } from '../finding.js'
import { attachments } from '../mesh/attachments.js'
import { clusterName, findPort, hostNames, isVisible, keep, type Mesh } from '../mesh/mesh.js'
import { olderFirst, type Parsed } from '../mesh/parsed.js'
import type { ServiceDefinition, ServicePort } from '../mesh/services.js'
import type { HostRoutes, Route } from '../nouns.js'
import { settleFamilies } from './families.js'
import { hostsOfForeign, hostsOfPort } from './host-ports.js'
import { type CompiledRoutes, defaultRetry, grpcRouteRoutes, httpRouteRoutes } from './http-routes.js'
import { byPrecedence, findShadowed } from './order.js'
import { type Caller, namedPorts, type Source, sourceKey } from './source.js'
import { virtualServiceRoutes } from './virtual-service-routes.js'

export interface CompiledHost {
  host: HostRoutes
  findings: MeshFinding[]
}

export function serviceRoutes(
  mesh: Mesh,
  service: ServiceDefinition,
  port: ServicePort,
  source: Source,
): CompiledHost[] {
  const cluster = clusterName(service, port)
  const virtual = virtualServicesFor(mesh, service, source.namespace)
  return keep(mesh, `routes ${cluster} for ${sourceKey(source, virtual)}`, () => {
    const names = hostNames(service, source.namespace, mesh.options)
    return hostsOfPort(service, port, names, namedPorts(mesh, virtual)).map(({ name, hosts, port: asked }) => {
      const { routes, findings } = steer(mesh, service, port, { source, gateway: 'mesh', port: asked, tls: false })
      const all = routes.length > 0 ? routes : [defaultRoute(cluster)]
      return { host: { name, hosts, routes: all }, findings: [...findings, ...findShadowed(all)] }
    })
  })
}

/** Hosts that only VirtualServices know, such as names outside the mesh. */
export function foreignHosts(mesh: Mesh, source: Source): CompiledHost[] {
  const { hosts } = attachments(mesh)
  const key = sourceKey(source, [...hosts.values()].flat())
  return keep(mesh, `foreign hosts for ${key}`, () =>
    [...hosts].flatMap(([host, written]): CompiledHost[] => {
      const applying = written.filter((route) => isMeshWide(route) && visible(route, source.namespace))
      if (applying.length === 0) return []
      return hostsOfForeign(host, namedPorts(mesh, applying)).map(({ name, hosts: domains, port }) => {
        const { routes, findings } = inListOrder(mesh, applying, { source, gateway: 'mesh', port, tls: false })
        return { host: { name, hosts: domains, routes }, findings: [...findings, ...findShadowed(routes)] }
      })
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

function steer(mesh: Mesh, service: ServiceDefinition, port: ServicePort, caller: Caller): CompiledRoutes {
  const { namespace } = caller.source
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
  const virtual = virtualServicesFor(mesh, service, namespace)
  const gateway = [...http, ...grpc].map(({ resource }) => resource).sort(olderFirst)
  const rules = virtual.map(({ resource }) => resource)
  const { gatewayHolds, findings } = settleFamilies(gateway, rules, service.key)
  const kept = gatewayHolds ? inGatewayOrder(mesh, http, grpc) : inListOrder(mesh, virtual, caller)
  return { routes: kept.routes, findings: [...kept.findings, ...findings] }
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
export function inListOrder(mesh: Mesh, virtual: Parsed<VirtualServiceSpec>[], caller: Caller): CompiledRoutes {
  const [first, ...others] = virtual
  const parts = virtual.map((route) => virtualServiceRoutes(mesh, route, caller))
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

function virtualServicesFor(mesh: Mesh, { key }: ServiceDefinition, namespace: string): Parsed<VirtualServiceSpec>[] {
  const attached = attachments(mesh).services.get(key)?.virtualServices ?? []
  return attached.filter((route) => isMeshWide(route) && visible(route, namespace))
}

function isMeshWide({ spec }: Parsed<VirtualServiceSpec>): boolean {
  return spec.gateways.includes('mesh') && spec.http.length > 0
}

function visible({ resource, spec }: Parsed<VirtualServiceSpec>, namespace: string): boolean {
  return isVisible(spec.exportTo, resource.metadata.namespace, namespace)
}

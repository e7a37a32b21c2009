/** Which routes hang on which service or gateway, and which DestinationRules are for it: looked up once per change. */

import { type BackendTlsPolicySpec, backendTlsPolicy } from '../../resources/backend-tls-policy.js'
import type { DestinationRuleSpec } from '../../resources/destination-rule.js'
import { destinationRule } from '../../resources/destination-rule.js'
import { type GrpcRouteSpec, grpcRoute } from '../../resources/grpc-route.js'
import { type HttpRouteSpec, httpRoute } from '../../resources/http-route.js'
import { includesHost } from '../../resources/kind.js'
import { type TcpRouteSpec, tcpRoute } from '../../resources/tcp-route.js'
import { type TlsRouteSpec, tlsRoute } from '../../resources/tls-route.js'
import { type VirtualServiceSpec, virtualService } from '../../resources/virtual-service.js'
import { findService, keep, type Mesh } from './mesh.js'
import type { Parsed } from './parsed.js'

export interface ServiceAttachments {
  httpRoutes: Parsed<HttpRouteSpec>[]
  grpcRoutes: Parsed<GrpcRouteSpec>[]
  tlsRoutes: Parsed<TlsRouteSpec>[]
  tcpRoutes: Parsed<TcpRouteSpec>[]
  virtualServices: Parsed<VirtualServiceSpec>[]
  /** Those that forward connections; a pattern among their hosts may mean the service too. */
  connectionRules: Parsed<VirtualServiceSpec>[]
  destinationRules: Parsed<DestinationRuleSpec>[]
  /** Oldest first. */
  backendTls: Parsed<BackendTlsPolicySpec>[]
}

export interface Attachments {
  /** By key of the service. */
  services: Map<string, ServiceAttachments>
  /** VirtualServices for hosts that are no service, by host. */
  hosts: Map<string, Parsed<VirtualServiceSpec>[]>
  /** Services that gRPC routes send to: they speak HTTP/2. */
  grpcServices: Set<string>
}

export function attachments(mesh: Mesh): Attachments {
  return keep(mesh, 'attachments', () => attach(mesh))
}

function attach(mesh: Mesh): Attachments {
  const found: Attachments = { services: new Map(), hosts: new Map(), grpcServices: new Set() }
  for (const { key } of mesh.definitions)
    found.services.set(key, {
      httpRoutes: [],
      grpcRoutes: [],
      tlsRoutes: [],
      tcpRoutes: [],
      virtualServices: [],
      connectionRules: [],
      destinationRules: [],
      backendTls: [],
    })
  const at = (host: string, namespace: string) => found.services.get(findService(mesh, host, namespace)?.key ?? '')
  for (const route of mesh.kinds.of(httpRoute))
    for (const service of parents(route)) pushOnce(at(service.name, service.namespace)?.httpRoutes, route)
  for (const route of mesh.kinds.of(grpcRoute)) {
    for (const service of parents(route)) pushOnce(at(service.name, service.namespace)?.grpcRoutes, route)
    for (const { name, namespace = route.resource.metadata.namespace } of route.spec.rules.flatMap(
      (rule) => rule.backendRefs,
    )) {
      const service = findService(mesh, name, namespace)
      if (service !== null) found.grpcServices.add(service.key)
    }
  }
  for (const route of mesh.kinds.of(tlsRoute))
    for (const service of parents(route)) pushOnce(at(service.name, service.namespace)?.tlsRoutes, route)
  for (const route of mesh.kinds.of(tcpRoute))
    for (const service of parents(route)) pushOnce(at(service.name, service.namespace)?.tcpRoutes, route)
  for (const route of mesh.kinds.of(virtualService)) {
    for (const host of route.spec.hosts) {
      const service = at(host, route.resource.metadata.namespace)
      if (service !== undefined) pushOnce(service.virtualServices, route)
      else found.hosts.set(host, [...(found.hosts.get(host) ?? []), route])
    }
    if (route.spec.tls.length + route.spec.tcp.length === 0) continue
    for (const { key, name } of mesh.definitions) {
      const means = (host: string) =>
        findService(mesh, host, route.resource.metadata.namespace)?.key === key ||
        (host.startsWith('*') && includesHost(host.toLowerCase(), name))
      if (route.spec.hosts.some(means)) pushOnce(found.services.get(key)?.connectionRules, route)
    }
  }
  for (const rule of mesh.kinds.of(destinationRule))
    pushOnce(at(rule.spec.host, rule.resource.metadata.namespace)?.destinationRules, rule)
  for (const policy of mesh.kinds.of(backendTlsPolicy))
    for (const { name } of policy.spec.targetRefs)
      pushOnce(found.services.get(`${policy.resource.metadata.namespace}/${name}`)?.backendTls, policy)
  return found
}

function parents({ resource, spec }: Parsed<Pick<HttpRouteSpec, 'parentRefs'>>) {
  return spec.parentRefs
    .filter(({ kind }) => kind === 'Service')
    .map(({ name, namespace = resource.metadata.namespace }) => ({ name, namespace }))
}

function pushOnce<Item>(list: Item[] | undefined, item: Item): void {
  if (list !== undefined && !list.includes(item)) list.push(item)
}

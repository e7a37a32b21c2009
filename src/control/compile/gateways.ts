/** The listeners and routes of a gateway: of Gateway API's Gateways that carry its service's name, of Istio's that select it. */
import { type GatewaySpec, gateway } from '../resources/gateway.js'
import { grpcRoute } from '../resources/grpc-route.js'
import { type HttpRouteSpec, httpRoute } from '../resources/http-route.js'
import { type IstioGatewaySpec, istioGateway } from '../resources/istio-gateway.js'
import { type VirtualServiceSpec, virtualService } from '../resources/virtual-service.js'
import type { MeshFinding } from './finding.js'
import type { Mesh } from './mesh.js'
import { type MeshNode, selectableLabels } from './node.js'
import type { HostRoutes, Listener, ListenerTls, Route, RouteTable } from './nouns.js'
import { findShadowed } from './order.js'
import type { Parsed } from './parsed.js'
import { inGatewayOrder, inListOrder } from './service-routes.js'
import { includesLabels } from './services.js'

export interface CompiledGateway {
  listeners: Listener[]
  tables: RouteTable[]
  findings: MeshFinding[]
}

/** One entry of a Gateway: what it accepts, and the routes that hang on it by host. */
interface Door {
  address: string
  port: number
  hostname: string
  tls: ListenerTls | null
  redirectToTls: boolean
  routes: { hosts: string[]; routes: Route[] }[]
}

export function compileGateway(mesh: Mesh, node: MeshNode): CompiledGateway {
  const findings: MeshFinding[] = []
  const doors = [...gatewayDoors(mesh, node, findings), ...istioDoors(mesh, node, findings)]
  const ports = [...new Set(doors.map(({ address, port }) => `${address}:${port}`))].sort()
  const listeners: Listener[] = []
  const tables: RouteTable[] = []
  for (const address of ports) {
    const here = doors.filter((door) => `${door.address}:${door.port}` === address)
    const name = `gateway/${address}`
    listeners.push({ name, address, direction: 'inbound', routes: name, tls: joinTls(here) })
    tables.push({ name, hosts: joinHosts(here, findings), authorization: null })
  }
  return { listeners, tables, findings }
}

function joinTls(doors: Door[]): ListenerTls | null {
  const certificates = doors.flatMap(({ tls }) => tls?.certificates ?? [])
  return certificates.length === 0 ? null : { mode: 'none', certificates }
}

/** Doors of one port share a table; where two know a host, their routes follow each other. */
function joinHosts(doors: Door[], findings: MeshFinding[]): HostRoutes[] {
  const byHost = new Map<string, Route[]>()
  for (const door of doors) {
    for (const { hosts, routes } of door.routes) {
      for (const host of hosts)
        byHost.set(host, [...(byHost.get(host) ?? []), ...(door.redirectToTls ? routes.map(toTls) : routes)])
    }
  }
  return [...byHost].map(([host, routes]) => {
    findings.push(...findShadowed(routes))
    return { name: `host/${host}`, hosts: host === '*' || host.startsWith('*.') ? [host] : [host, `${host}:*`], routes }
  })
}

function toTls(route: Route): Route {
  return { ...route, action: { redirect: { scheme: 'https', host: null, port: null, path: null, status: 301 } } }
}

/** The Gateways of the Gateway API that a gateway serves: those of its service's name. */
export function gatewaysOf(mesh: Mesh, { namespace, service }: MeshNode): Parsed<GatewaySpec>[] {
  const named = ({ resource: { metadata } }: Parsed<GatewaySpec>) =>
    metadata.namespace === namespace && metadata.name === service
  return mesh.kinds.of(gateway).filter(named)
}

function gatewayDoors(mesh: Mesh, node: MeshNode, findings: MeshFinding[]): Door[] {
  return gatewaysOf(mesh, node).flatMap((parsed) =>
    parsed.spec.listeners.map(
      (listener): Door => ({
        address: parsed.spec.addresses[0]?.value ?? '0.0.0.0',
        port: listener.port,
        hostname: listener.hostname ?? '*',
        tls: gatewayTls(listener, node.namespace),
        redirectToTls: false,
        routes: listenerRoutes(mesh, parsed, listener, findings),
      }),
    ),
  )
}

type GatewayListener = GatewaySpec['listeners'][number]

function gatewayTls({ tls, hostname }: GatewayListener, namespace: string): ListenerTls | null {
  const reference = tls?.certificateRefs[0]
  if (reference === undefined) return null
  return {
    mode: 'none',
    certificates: [{ secret: `${namespace}/${reference.name}`, serverNames: hostname === undefined ? [] : [hostname] }],
  }
}

function listenerRoutes(
  mesh: Mesh,
  { resource }: Parsed<GatewaySpec>,
  listener: GatewayListener,
  findings: MeshFinding[],
): Door['routes'] {
  const hangs = ({ resource: route, spec }: Parsed<Pick<HttpRouteSpec, 'parentRefs'>>) =>
    (listener.allowedRoutes.namespaces.from === 'All' || route.metadata.namespace === resource.metadata.namespace) &&
    spec.parentRefs.some(
      ({ kind, name, namespace = route.metadata.namespace, sectionName, port }) =>
        kind === 'Gateway' &&
        name === resource.metadata.name &&
        namespace === resource.metadata.namespace &&
        (sectionName === undefined || sectionName === listener.name) &&
        (port === undefined || port === listener.port),
    )
  const http = mesh.kinds.of(httpRoute).filter(hangs)
  const grpc = mesh.kinds.of(grpcRoute).filter(hangs)
  const hosts = new Set([...http, ...grpc].flatMap(({ spec }) => sharedHosts(spec.hostnames, listener.hostname ?? '*')))
  return [...hosts].map((host) => {
    const on = ({ spec }: { spec: { hostnames: string[] } }) =>
      sharedHosts(spec.hostnames, listener.hostname ?? '*').includes(host)
    const compiled = inGatewayOrder(mesh, http.filter(on), grpc.filter(on))
    findings.push(...compiled.findings)
    return { hosts: [host], routes: compiled.routes }
  })
}

/** The names that a route and a listener have in common: the narrower of each pair. */
function sharedHosts(route: string[], listener: string): string[] {
  const names = route.length === 0 ? ['*'] : route
  return names.flatMap((name) =>
    includesHost(listener, name) ? [name] : includesHost(name, listener) ? [listener] : [],
  )
}

function includesHost(wide: string, narrow: string): boolean {
  return wide === '*' || wide === narrow || (wide.startsWith('*.') && narrow.endsWith(wide.slice(1)))
}

/** The Gateways of Istio that a gateway serves: those that select it. */
export function istioGatewaysOf(mesh: Mesh, node: MeshNode): Parsed<IstioGatewaySpec>[] {
  const labels = selectableLabels(node)
  const selects = ({ spec: { selector } }: Parsed<IstioGatewaySpec>) =>
    Object.keys(selector).length > 0 && includesLabels(labels, selector)
  return mesh.kinds.of(istioGateway).filter(selects)
}

function istioDoors(mesh: Mesh, node: MeshNode, findings: MeshFinding[]): Door[] {
  return istioGatewaysOf(mesh, node).flatMap(({ resource, spec }) =>
    spec.servers.map((server): Door => {
      const names = server.hosts.map((host) => host.split('/').at(-1) ?? host)
      const certificate = server.port.protocol === 'HTTPS' ? server.tls?.credentialName : undefined
      const serverNames = names.filter((name) => name !== '*')
      return {
        address: '0.0.0.0',
        port: server.port.number,
        hostname: '*',
        tls:
          certificate === undefined
            ? null
            : {
                mode: 'none',
                certificates: [{ secret: `${resource.metadata.namespace}/${certificate}`, serverNames }],
              },
        redirectToTls: server.tls?.httpsRedirect ?? false,
        routes: serverRoutes(mesh, resource.metadata, server.hosts, findings),
      }
    }),
  )
}

type Named = { namespace: string; name: string }

/** A host may say whose VirtualServices it takes: `namespace/host`, with `.` for the gateway's own. */
function serverRoutes(mesh: Mesh, gateway: Named, hosts: string[], findings: MeshFinding[]): Door['routes'] {
  const full = `${gateway.namespace}/${gateway.name}`
  const nameOf = (written: string, { namespace }: Named) =>
    written.includes('/') ? written : `${namespace}/${written}`
  const shared = ({ resource, spec }: Parsed<VirtualServiceSpec>) =>
    hosts.flatMap((host) => {
      const [place, name] = host.includes('/') ? (host.split('/') as [string, string]) : ['*', host]
      const owner = place === '.' ? gateway.namespace : place
      return owner === '*' || owner === resource.metadata.namespace ? sharedHosts(spec.hosts, name) : []
    })
  const hanging = mesh.kinds
    .of(virtualService)
    .filter(({ resource, spec }) => spec.gateways.some((written) => nameOf(written, resource.metadata) === full))
  const served = new Set(hanging.flatMap(shared))
  return [...served].map((host) => {
    const here = hanging.filter((route) => shared(route).includes(host))
    const [first] = here
    const written = first?.spec.gateways.find((one) => nameOf(one, first.resource.metadata) === full) ?? full
    const compiled = inListOrder(mesh, here, gateway.namespace, written)
    findings.push(...compiled.findings)
    return { hosts: [host], routes: compiled.routes }
  })
}

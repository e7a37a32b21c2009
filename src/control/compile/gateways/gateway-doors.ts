/** The doors of the Gateway API's Gateways, with the routes that hang on each. */
import { type GatewayListener, type GatewaySpec, gateway } from '../../resources/gateway.js'
import { grpcRoute } from '../../resources/grpc-route.js'
import { httpRoute } from '../../resources/http-route.js'
import { tcpRoute } from '../../resources/tcp-route.js'
import { tlsRoute } from '../../resources/tls-route.js'
import { type MeshFinding, originOf } from '../finding.js'
import type { Mesh } from '../mesh/mesh.js'
import type { MeshNode } from '../mesh/node.js'
import type { Parsed } from '../mesh/parsed.js'
import type { ConnectionTls } from '../nouns.js'
import { inGatewayOrder } from '../routes/service-routes.js'
import { type ConnectionCandidate, routeCandidate } from './connection-routes.js'
import type { Door } from './door.js'
import { type Attachable, attachment } from './listener-routes.js'
import { anyName, type NameClaim, sharedHosts } from './server-names.js'

/** The Gateways of the Gateway API that a gateway serves: those of its service's name. */
export function gatewaysOf(mesh: Mesh, { namespace, service }: MeshNode): Parsed<GatewaySpec>[] {
  const named = ({ resource: { metadata } }: Parsed<GatewaySpec>) =>
    metadata.namespace === namespace && metadata.name === service
  return mesh.kinds.of(gateway).filter(named)
}

export function gatewayDoors(mesh: Mesh, node: MeshNode, findings: MeshFinding[]): Door[] {
  return gatewaysOf(mesh, node).flatMap((parsed) =>
    parsed.spec.listeners.map((listener, index): Door => {
      const { protocol, hostname = anyName, port } = listener
      return {
        address: `${parsed.spec.addresses[0]?.value ?? '0.0.0.0'}:${port}`,
        speaks: protocol === 'HTTP' ? 'http' : protocol === 'TCP' ? 'tcp' : 'tls',
        hostname: hostname.toLowerCase(),
        origin: originOf(parsed.resource, `spec.listeners[${index}]`),
        certificate: protocol === 'HTTPS' ? shownCertificate(listener, node.namespace) : null,
        redirectToTls: false,
        routes: requestRoutes(mesh, parsed, listener, findings),
        connections: connectionRoutes(mesh, parsed, listener),
      }
    }),
  )
}

function shownCertificate(listener: GatewayListener, namespace: string): Door['certificate'] {
  const secret = secretOf(listener, namespace)
  const { hostname } = listener
  return secret === null ? null : { secret, serverNames: hostname === undefined ? [] : [hostname.toLowerCase()] }
}

function secretOf({ tls }: GatewayListener, namespace: string): string | null {
  const reference = tls?.certificateRefs[0]
  return reference === undefined ? null : `${namespace}/${reference.name}`
}

function requestRoutes(
  mesh: Mesh,
  { resource }: Parsed<GatewaySpec>,
  listener: GatewayListener,
  findings: MeshFinding[],
): Door['routes'] {
  const { hostname = anyName } = listener
  const hangs = (route: Attachable) => attachment(resource, listener, route) !== null
  const http = mesh.kinds.of(httpRoute).filter(hangs)
  const grpc = mesh.kinds.of(grpcRoute).filter(hangs)
  const hosts = new Set([...http, ...grpc].flatMap(({ spec }) => sharedHosts(spec.hostnames, hostname)))
  return [...hosts].map((host) => {
    const on = ({ spec }: { spec: { hostnames: string[] } }) => sharedHosts(spec.hostnames, hostname).includes(host)
    const compiled = inGatewayOrder(mesh, http.filter(on), grpc.filter(on))
    findings.push(...compiled.findings)
    return { hosts: [host], routes: compiled.routes }
  })
}

function connectionRoutes(
  mesh: Mesh,
  { resource }: Parsed<GatewaySpec>,
  listener: GatewayListener,
): ConnectionCandidate[] {
  const hostname = listener.hostname?.toLowerCase() ?? anyName
  const tls = connectionTls(listener, resource.metadata.namespace)
  const named = mesh.kinds.of(tlsRoute).flatMap((route) => {
    const claims = attachment(resource, listener, route) === null ? [] : namesOf(route.spec.hostnames, hostname)
    return claims.length === 0 ? [] : [{ route, claims }]
  })
  const whole = mesh.kinds.of(tcpRoute).flatMap((route) => {
    const path = attachment(resource, listener, route)
    return path === null ? [] : [{ route, claims: [{ name: hostname, path }] }]
  })
  return [...named, ...whole].map(({ route, claims }) => routeCandidate(mesh, route, { tls, claims }))
}

function connectionTls(listener: GatewayListener, namespace: string): ConnectionTls {
  const secret = secretOf(listener, namespace)
  if (listener.protocol === 'TCP') return { mode: 'none' }
  return secret === null ? { mode: 'passthrough' } : { mode: 'terminate', secret }
}

/** Each name once, at the first place that means it. */
function namesOf(hostnames: string[], listener: string): NameClaim[] {
  if (hostnames.length === 0) return [{ name: listener, path: 'spec.hostnames' }]
  const found = hostnames.flatMap((one, index) =>
    sharedHosts([one], listener).map((name) => [name, `spec.hostnames[${index}]`] as const),
  )
  return [...new Map([...found].reverse())].reverse().map(([name, path]) => ({ name, path }))
}

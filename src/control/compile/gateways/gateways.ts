/**
 * The listeners and routes of a gateway: of Gateway API's Gateways that carry its service's name, of Istio's that select
 * it. Doors of one address share a listener, and their routes one table.
 */

import { describeOrigin, type MeshFinding } from '../finding.js'
import type { Mesh } from '../mesh/mesh.js'
import type { MeshNode } from '../mesh/node.js'
import { olderFirst } from '../mesh/parsed.js'
import type { ConnectionRoute, HostRoutes, Listener, ListenerTls, Route, RouteTable } from '../nouns.js'
import { authorizationFor } from '../policies/authorization.js'
import { findShadowed } from '../routes/order.js'
import { forConnections } from './connection-authorization.js'
import { placesOf } from './connection-places.js'
import type { Door } from './door.js'
import { gatewayDoors } from './gateway-doors.js'
import { istioDoors } from './istio-doors.js'
import { anyName, type Claimant, settleNames } from './server-names.js'
import { throughTunnels } from './tunnels.js'

export interface CompiledGateway {
  listeners: Listener[]
  tables: RouteTable[]
  findings: MeshFinding[]
}

export function compileGateway(mesh: Mesh, node: MeshNode): CompiledGateway {
  const findings: MeshFinding[] = []
  const policies = authorizationFor(mesh, node)
  const connecting =
    policies === null
      ? { authorization: null, findings: [] }
      : forConnections(policies, 'of a TLSRoute or TCPRoute at this gateway')
  const doors = [...gatewayDoors(mesh, node, findings), ...istioDoors(mesh, node, findings)]
  const addresses = [...new Set(doors.map(({ address }) => address))].sort()
  const listeners: Listener[] = []
  const tables: RouteTable[] = []
  for (const address of addresses) {
    const here = ofOneProtocol(
      doors.filter((door) => door.address === address),
      findings,
    )
    const name = `gateway/${address}`
    const { certificates, connections } = sharePort(address, here, findings)
    const tls: ListenerTls | null = certificates.length === 0 ? null : { mode: 'none', certificates }
    // Requests that were to come encrypted are not taken in the clear.
    const requests = here.filter(
      ({ speaks, certificate }) => speaks === 'http' || (certificate !== null && tls !== null),
    )
    const routes = requests.length === 0 ? null : name
    if (routes === null && connections.length === 0) continue
    const authorization = connections.length === 0 ? null : connecting.authorization
    listeners.push({
      name,
      address,
      direction: 'inbound',
      routes,
      tls,
      connections,
      authorization,
      readsTokens: routes !== null,
      telemetry: null,
    })
    if (routes !== null) tables.push({ name, hosts: joinHosts(requests, findings), authorization: policies })
  }
  const forwards = listeners.some(({ connections }) => connections.length > 0)
  const through = throughTunnels(mesh, node, listeners)
  findings.push(...through.findings)
  return { listeners: through.listeners, tables, findings: forwards ? [...findings, ...connecting.findings] : findings }
}

/** The first door of an address says what is spoken there. */
function ofOneProtocol(doors: Door[], findings: MeshFinding[]): Door[] {
  const [first] = doors
  const others = doors.filter(({ speaks }) => speaks !== first?.speaks)
  for (const { address, speaks, origin } of others) {
    const holder = first === undefined ? '' : `${describeOrigin(first.origin)} ${first.origin.path}`
    const message = `${address} speaks ${first?.speaks} for ${holder} and cannot speak ${speaks} too`
    const hint = 'give it a port of its own'
    findings.push({ severity: 'error', code: 'WEFT_MESH_CONFLICT', origin, message, hint })
  }
  return doors.filter(({ speaks }) => speaks === first?.speaks)
}

/** Each server name of a port goes to one certificate or one route of connections. */
function sharePort(
  address: string,
  doors: Door[],
  findings: MeshFinding[],
): { certificates: ListenerTls['certificates']; connections: ConnectionRoute[] } {
  const ended = doors.flatMap(({ certificate, hostname, origin }) =>
    certificate === null ? [] : [{ certificate, hostname, origin }],
  )
  const forwarded = doors
    .flatMap(({ hostname, connections }) => connections.map((one) => ({ ...one, hostname })))
    .sort((a, b) => olderFirst(a.resource, b.resource))
  const claimants: Claimant[] = [
    ...ended.map(({ certificate, hostname, origin }) => {
      const names = certificate.serverNames.length === 0 ? [anyName] : certificate.serverNames
      return { listener: hostname, origin, claims: names.map((name) => ({ name, path: origin.path })) }
    }),
    ...forwarded.map(({ hostname, route, claims }) => ({ listener: hostname, origin: route.origin, claims })),
  ]
  const { held, findings: conflicts } = settleNames(claimants, address)
  findings.push(...forwarded.flatMap((one) => one.findings), ...conflicts)
  const places = placesOf(held)
  const matched = (index: number) => ({
    serverNames: (held[index] ?? []).map(({ name }) => name).filter(isFirstName),
    ...(places === null ? {} : { places: places[index] ?? [] }),
  })
  const holds = (index: number) => (held[index]?.length ?? 0) > 0
  return {
    certificates: ended.flatMap(({ certificate: { secret }, origin }, index) =>
      holds(index) ? [{ secret, ...matched(index), origin }] : [],
    ),
    connections: forwarded.flatMap(({ route }, index) =>
      holds(ended.length + index) ? [{ ...route, ...matched(ended.length + index) }] : [],
    ),
  }
}

function isFirstName(name: string, index: number, all: string[]): boolean {
  return name !== anyName && all.indexOf(name) === index
}

/** Doors of one address share a table; where two know a host, their routes follow each other. */
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

/** The doors of Istio's Gateways, with the VirtualServices that hang on them. */
import { type IstioGatewaySpec, istioGateway } from '../../resources/istio-gateway.js'
import { virtualService } from '../../resources/virtual-service.js'
import { type MeshFinding, originOf } from '../finding.js'
import type { Mesh } from '../mesh/mesh.js'
import { type MeshNode, selectableLabels } from '../mesh/node.js'
import type { Parsed } from '../mesh/parsed.js'
import { includesLabels } from '../mesh/services.js'
import type { ConnectionTls } from '../nouns.js'
import { inListOrder } from '../routes/service-routes.js'
import { sourceOf } from '../routes/source.js'
import type { Door } from './door.js'
import { anyName, sharedHosts } from './server-names.js'
import { virtualServiceConnections } from './virtual-service-connections.js'

/** The Gateways of Istio that a gateway serves: those that select it. */
export function istioGatewaysOf(mesh: Mesh, node: MeshNode): Parsed<IstioGatewaySpec>[] {
  const labels = selectableLabels(node)
  const selects = ({ spec: { selector } }: Parsed<IstioGatewaySpec>) =>
    Object.keys(selector).length > 0 && includesLabels(labels, selector)
  return mesh.kinds.of(istioGateway).filter(selects)
}

export function istioDoors(mesh: Mesh, node: MeshNode, findings: MeshFinding[]): Door[] {
  return istioGatewaysOf(mesh, node).flatMap(({ resource, spec }) =>
    spec.servers.map((server, index): Door => {
      const { number, protocol } = server.port
      const forwards = protocol === 'TCP' || protocol === 'TLS' || server.tls?.mode === 'PASSTHROUGH'
      const encrypted = protocol === 'HTTPS' || protocol === 'TLS'
      const names = namesOf(server).filter((name) => name !== anyName)
      const secret = secretOf(server, resource.metadata)
      return {
        address: `0.0.0.0:${number}`,
        speaks: protocol === 'TCP' ? 'tcp' : encrypted ? 'tls' : 'http',
        hostname: anyName,
        origin: originOf(resource, `spec.servers[${index}]`),
        certificate: forwards || !encrypted || secret === null ? null : { secret, serverNames: names },
        redirectToTls: server.tls?.httpsRedirect ?? false,
        routes: forwards ? [] : serverRoutes(mesh, node, resource.metadata, server, findings),
        connections: forwards ? serverConnections(mesh, node, resource.metadata, server) : [],
      }
    }),
  )
}

type Server = IstioGatewaySpec['servers'][number]
type Named = { namespace: string; name: string }

function namesOf({ hosts }: Server): string[] {
  return hosts.map((host) => (host.split('/').at(-1) ?? host).toLowerCase())
}

function secretOf({ tls }: Server, { namespace }: Named): string | null {
  return tls?.credentialName === undefined ? null : `${namespace}/${tls.credentialName}`
}

/** The VirtualServices that name a gateway, each with the hosts that it shares with one of its servers. */
function hanging(mesh: Mesh, gateway: Named, hosts: string[]) {
  const full = `${gateway.namespace}/${gateway.name}`
  return mesh.kinds.of(virtualService).flatMap((route) => {
    const { namespace } = route.resource.metadata
    const isGateway = (written: string) => (written.includes('/') ? written : `${namespace}/${written}`) === full
    const shared = hosts.flatMap((host) => {
      // A host may say whose VirtualServices it takes: `namespace/host`, with `.` for the gateway's own.
      const [place, name] = host.includes('/') ? (host.split('/') as [string, string]) : ['*', host]
      const owner = place === '.' ? gateway.namespace : place
      return owner === '*' || owner === namespace ? sharedHosts(route.spec.hosts, name) : []
    })
    const isRoot = route.spec.hosts.length > 0 && route.spec.gateways.some(isGateway)
    return isRoot && shared.length > 0 ? [{ route, shared, isGateway }] : []
  })
}

function serverRoutes(
  mesh: Mesh,
  node: MeshNode,
  gateway: Named,
  { hosts, port }: Server,
  findings: MeshFinding[],
): Door['routes'] {
  const source = sourceOf(mesh, node)
  const all = hanging(mesh, gateway, hosts).filter(({ route }) => route.spec.http.length > 0)
  return [...new Set(all.flatMap(({ shared }) => shared))].map((host) => {
    const here = all.filter(({ shared }) => shared.includes(host))
    const [first] = here
    const written = first?.route.spec.gateways.find(first.isGateway) ?? `${gateway.namespace}/${gateway.name}`
    const routes = here.map(({ route }) => route)
    const caller = { source, gateway: written, port: port.number, tls: port.protocol === 'HTTPS' }
    const compiled = inListOrder(mesh, routes, caller)
    findings.push(...compiled.findings)
    return { hosts: [host], routes: compiled.routes }
  })
}

function serverConnections(mesh: Mesh, node: MeshNode, gateway: Named, server: Server): Door['connections'] {
  const secret = secretOf(server, gateway)
  const passing: ConnectionTls = secret === null ? { mode: 'passthrough' } : { mode: 'terminate', secret }
  const tls: ConnectionTls = server.port.protocol === 'TCP' ? { mode: 'none' } : passing
  const port = server.port.number
  return hanging(mesh, gateway, server.hosts).flatMap(({ route, shared, isGateway }) =>
    virtualServiceConnections(mesh, route, {
      ...{ port, tls, isGateway, labels: selectableLabels(node), namespace: node.namespace },
      hosts: shared.map((host) => host.toLowerCase()),
    }),
  )
}

/** The doors of Istio's Gateways, with the VirtualServices that hang on them. */
import { type IstioGatewaySpec, istioGateway } from '../resources/istio-gateway.js'
import { type VirtualServiceSpec, virtualService } from '../resources/virtual-service.js'
import type { Door } from './door.js'
import { type MeshFinding, originOf } from './finding.js'
import type { Mesh } from './mesh.js'
import { type MeshNode, selectableLabels } from './node.js'
import type { Parsed } from './parsed.js'
import { anyName, sharedHosts } from './server-names.js'
import { inListOrder } from './service-routes.js'
import { includesLabels } from './services.js'

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
      const names = server.hosts.map((host) => host.split('/').at(-1) ?? host)
      const certificate = server.port.protocol === 'HTTPS' ? server.tls?.credentialName : undefined
      const serverNames = names.filter((name) => name !== anyName)
      const secret = `${resource.metadata.namespace}/${certificate}`
      return {
        address: `0.0.0.0:${server.port.number}`,
        speaks: certificate === undefined ? 'http' : 'tls',
        hostname: anyName,
        origin: originOf(resource, `spec.servers[${index}]`),
        certificate: certificate === undefined ? null : { secret, serverNames },
        redirectToTls: server.tls?.httpsRedirect ?? false,
        connections: [],
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

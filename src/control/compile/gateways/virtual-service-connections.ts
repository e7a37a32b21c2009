/** The rules of VirtualServices that forward connections, for one server of an Istio Gateway. */
import type { VirtualServiceSpec } from '../../resources/virtual-service.js'
import type { ConnectionRoutes } from '../../resources/virtual-service-connections.js'
import type { Mesh } from '../mesh/mesh.js'
import type { Parsed } from '../mesh/parsed.js'
import type { ConnectionTls } from '../nouns.js'
import { type ConnectionCandidate, type ConnectionRule, connectionCandidate } from './connection-routes.js'
import { anyName, type NameClaim, sharedHosts } from './server-names.js'

export interface ConnectionServer {
  port: number
  /** Host names that it is for. */
  hosts: string[]
  tls: ConnectionTls
  /** The names under which a resource may write its gateway. */
  isGateway(written: string): boolean
}

/** `tls` is for what passes through, `tcp` for all else; of rules that want the same the first in the list holds. */
export function virtualServiceConnections(
  mesh: Mesh,
  { resource, spec }: Parsed<VirtualServiceSpec>,
  server: ConnectionServer,
): ConnectionCandidate[] {
  const rules = server.tls.mode === 'passthrough' ? tlsRules(spec, server) : tcpRules(spec, server)
  return rules.map(({ route, ...rule }) => {
    const only = route.length === 1
    const destinations = route.map(({ destination: { host, subset, port }, weight }, index) => ({
      reference: { host, namespace: resource.metadata.namespace, port: port?.number, subset },
      weight: only ? 1 : weight,
      path: `${rule.path}.route[${index}].destination`,
    }))
    return connectionCandidate(mesh, resource, { ...rule, tls: server.tls, destinations })
  })
}

type Rule = Pick<ConnectionRule, 'suffix' | 'path' | 'claims'> & { route: ConnectionRoutes }

function tlsRules({ hosts, tls }: VirtualServiceSpec, server: ConnectionServer): Rule[] {
  const served = hosts.flatMap((host) => server.hosts.flatMap((one) => sharedHosts([host.toLowerCase()], one)))
  return tls.flatMap(({ match, route }, index) => {
    const path = `spec.tls[${index}]`
    const claims = match.flatMap((one, at) =>
      isFor(one, server)
        ? one.sniHosts.flatMap((name, i) =>
            served
              .flatMap((host) => sharedHosts([name.toLowerCase()], host))
              .map((shared) => ({ name: shared, path: `${path}.match[${at}].sniHosts[${i}]` })),
          )
        : [],
    )
    return claims.length === 0 ? [] : [{ suffix: `/tls.${index}`, path, claims: eachOnce(claims), route }]
  })
}

function tcpRules({ hosts, tcp }: VirtualServiceSpec, server: ConnectionServer): Rule[] {
  const served = hosts.flatMap((host) => server.hosts.flatMap((one) => sharedHosts([host.toLowerCase()], one)))
  const names = server.tls.mode === 'none' ? [anyName] : served
  return tcp.flatMap(({ match, route }, index) => {
    const path = `spec.tcp[${index}]`
    if (match.length > 0 && !match.some((one) => isFor(one, server))) return []
    return [{ suffix: `/tcp.${index}`, path, claims: eachOnce(names.map((name) => ({ name, path }))), route }]
  })
}

function isFor(
  { port, gateways }: { port?: number | undefined; gateways?: string[] | undefined },
  server: ConnectionServer,
): boolean {
  return (port === undefined || port === server.port) && (gateways === undefined || gateways.some(server.isGateway))
}

function eachOnce(claims: NameClaim[]): NameClaim[] {
  return claims.filter(({ name }, index) => claims.findIndex((one) => one.name === name) === index)
}

/** The rules of VirtualServices that forward connections, for one server of an Istio Gateway or one port of a service. */

import { formatSubnet, parseSubnet } from '../../resources/subnet.js'
import type { VirtualServiceSpec } from '../../resources/virtual-service.js'
import type { ConnectionRoutes, TcpMatch, TlsMatch } from '../../resources/virtual-service-connections.js'
import type { Client } from '../clusters/destination-rules.js'
import { findService, type Mesh } from '../mesh/mesh.js'
import type { Parsed } from '../mesh/parsed.js'
import { includesLabels } from '../mesh/services.js'
import type { ConnectionTls } from '../nouns.js'
import { type ConnectionCandidate, type ConnectionRule, connectionCandidate } from './connection-routes.js'
import { anyName, claimKey, type NameClaim, sharedHosts } from './server-names.js'

export interface ConnectionServer {
  port: number
  /** Host names that it is for. */
  hosts: string[]
  tls: ConnectionTls
  /** The names under which a resource may write its gateway. */
  isGateway(written: string): boolean
  /** Of the gateway's workload, or of the client's. */
  labels: Readonly<Record<string, string>>
  namespace: string
  /** Inside the mesh: those who call. A destination without a port is the port that they called. */
  clients?: Client
}

/** `tls` is for what passes through, `tcp` for all else; of rules that want the same the first in the list holds. */
export function virtualServiceConnections(
  mesh: Mesh,
  { resource, spec }: Parsed<VirtualServiceSpec>,
  server: ConnectionServer,
): ConnectionCandidate[] {
  const { namespace } = resource.metadata
  const rules = server.tls.mode === 'passthrough' ? tlsRules(spec, server) : tcpRules(spec, server)
  return rules.map(({ route, ...rule }) => {
    const only = route.length === 1
    const destinations = route.map(({ destination: { host, subset, port }, weight }, index) => ({
      reference: { host, namespace, port: port?.number ?? calledPort(mesh, host, namespace, server), subset },
      weight: only ? 1 : weight,
      path: `${rule.path}.route[${index}].destination`,
    }))
    const { tls, clients } = server
    if (clients === undefined) return connectionCandidate(mesh, resource, { ...rule, tls, destinations })
    const suffix = `${rule.suffix}/${server.port}`
    return connectionCandidate(mesh, resource, { ...rule, suffix, tls, destinations, clients })
  })
}

/** The port that a client of the mesh called, where the destination has it too. */
function calledPort(mesh: Mesh, host: string, namespace: string, { clients, port }: ConnectionServer) {
  if (clients === undefined) return undefined
  return findService(mesh, host, namespace)?.ports.find(({ number }) => number === port)?.number ?? undefined
}

type Rule = Pick<ConnectionRule, 'suffix' | 'path' | 'claims'> & { route: ConnectionRoutes }

function tlsRules({ hosts, tls }: VirtualServiceSpec, server: ConnectionServer): Rule[] {
  const served = servedNames(hosts, server)
  return tls.flatMap(({ match, route }, index) => {
    const path = `spec.tls[${index}]`
    const claims = match.flatMap((one, at) =>
      isFor(one, server)
        ? one.sniHosts.flatMap((name, i) =>
            served
              .flatMap((host) => sharedHosts([name.toLowerCase()], host))
              .flatMap((shared) => between(one, { name: shared, path: `${path}.match[${at}].sniHosts[${i}]` })),
          )
        : [],
    )
    return claims.length === 0 ? [] : [{ suffix: `/tls.${index}`, path, claims: eachOnce(claims), route }]
  })
}

function tcpRules({ hosts, tcp }: VirtualServiceSpec, server: ConnectionServer): Rule[] {
  const names = server.tls.mode === 'none' ? [anyName] : servedNames(hosts, server)
  return tcp.flatMap(({ match, route }, index) => {
    const path = `spec.tcp[${index}]`
    const fitting = match.filter((one) => isFor(one, server))
    if (match.length > 0 && fitting.length === 0) return []
    const claims = names.flatMap((name) =>
      match.length === 0 ? [{ name, path }] : fitting.flatMap((one) => between(one, { name, path })),
    )
    return [{ suffix: `/tcp.${index}`, path, claims: eachOnce(claims), route }]
  })
}

function servedNames(hosts: string[], server: ConnectionServer): string[] {
  return hosts.flatMap((host) => server.hosts.flatMap((one) => sharedHosts([host.toLowerCase()], one)))
}

/** The same claim for each of the addresses that a match names. */
function between(match: TlsMatch | TcpMatch, claim: NameClaim): NameClaim[] {
  const source = 'sourceSubnet' in match && match.sourceSubnet !== undefined ? canonical(match.sourceSubnet) : undefined
  const from = source === undefined ? claim : { ...claim, source }
  if (match.destinationSubnets.length === 0) return [from]
  return match.destinationSubnets.map((subnet) => ({ ...from, destination: canonical(subnet) }))
}

function canonical(text: string): string {
  const subnet = parseSubnet(text)
  return subnet === null ? text : formatSubnet(subnet)
}

/** All that it says must hold, as in Istio: labels and namespace are the gateway's own. */
function isFor(
  { port, gateways, sourceLabels, sourceNamespace }: TlsMatch | TcpMatch,
  server: ConnectionServer,
): boolean {
  return (
    (port === undefined || port === server.port) &&
    (gateways === undefined || gateways.some(server.isGateway)) &&
    includesLabels(server.labels, sourceLabels) &&
    (sourceNamespace === undefined || sourceNamespace === server.namespace)
  )
}

function eachOnce(claims: NameClaim[]): NameClaim[] {
  const keys = claims.map(claimKey)
  return claims.filter((_, index) => keys.indexOf(keys[index] ?? '') === index)
}

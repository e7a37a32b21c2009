/** The parts of a VirtualService that forward connections: `tls` by server name, `tcp` by port. */
import * as z from 'zod'
import { dnsName, hostPattern, includesHost, labels, port } from './kind.js'
import { subnet } from './subnet.js'

export const destination = z.strictObject({
  host: dnsName(),
  subset: dnsName().optional(),
  port: z.strictObject({ number: port }).optional(),
})

const route = z
  .array(z.strictObject({ destination, weight: z.int().min(0).max(1_000_000).default(0) }))
  .min(1)
  .max(64)

const matchFields = {
  port: port.optional(),
  gateways: z.array(z.string()).optional(),
  sourceLabels: labels.default({}),
  sourceNamespace: z.string().optional(),
  destinationSubnets: z.array(subnet).default([]),
} as const

const tlsRule = z.strictObject({
  match: z.array(z.strictObject({ sniHosts: z.array(hostPattern()).min(1), ...matchFields })).min(1),
  route,
})

const tcpRule = z.strictObject({
  match: z.array(z.strictObject({ ...matchFields, sourceSubnet: subnet.optional() })).default([]),
  route,
})

export const connectionParts = { tls: z.array(tlsRule).default([]), tcp: z.array(tcpRule).default([]) } as const

/** Where names stand that are for none of the hosts, below `tls`. */
export function strangeNames(hosts: readonly string[], rules: readonly z.output<typeof tlsRule>[]) {
  const known = (name: string) =>
    hosts.some((host) => includesHost(host.toLowerCase(), name.toLowerCase()) || includesHost(name, host))
  return rules.flatMap(({ match }, index) =>
    match.flatMap(({ sniHosts }, at) =>
      sniHosts.flatMap((name, i) => (known(name) ? [] : [[index, 'match', at, 'sniHosts', i] as const])),
    ),
  )
}

export type TlsMatch = z.output<typeof tlsRule>['match'][number]
export type TcpMatch = z.output<typeof tcpRule>['match'][number]
export type ConnectionRoutes = z.output<typeof route>

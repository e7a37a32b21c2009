/** `TLSRoute` (Gateway API): where TLS connections go by the name that the client asks for (SNI). */
import * as z from 'zod'
import { connectionRouteFields } from './connection-references.js'
import { hostPattern, resourceKind } from './kind.js'

const anAddress = z.union([z.ipv4(), z.ipv6()])

/** RFC 6066, section 3: a server name is never an address, and has no case. */
const serverName = hostPattern()
  .refine((name) => name !== '*', { error: 'means every name: leave hostnames out for that' })
  .refine((name) => !anAddress.safeParse(name).success, { error: 'is an address, which TLS has no server name for' })
  .transform((name) => name.toLowerCase())

export const tlsRoute = resourceKind({
  apiVersions: [
    'gateway.networking.k8s.io/v1',
    'gateway.networking.k8s.io/v1alpha3',
    'gateway.networking.k8s.io/v1alpha2',
  ],
  kind: 'TLSRoute',
  spec: z.strictObject({ ...connectionRouteFields, hostnames: z.array(serverName).max(1024).default([]) }),
})

export type TlsRouteSpec = z.output<typeof tlsRoute.spec>

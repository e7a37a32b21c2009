/** `TCPRoute` (Gateway API): where the connections of a gateway's listener or of a service's port go. */
import * as z from 'zod'
import { connectionRouteFields } from './connection-references.js'
import { resourceKind } from './kind.js'

export const tcpRoute = resourceKind({
  apiVersions: ['gateway.networking.k8s.io/v1', 'gateway.networking.k8s.io/v1alpha2'],
  kind: 'TCPRoute',
  spec: z.strictObject(connectionRouteFields),
})

export type TcpRouteSpec = z.output<typeof tcpRoute.spec>

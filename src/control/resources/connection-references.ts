/** References of TLSRoute and TCPRoute: what forwards connections hangs on a gateway or a service and sends to services. */
import * as z from 'zod'
import { notYetKeys, words } from '../../config/forms/not-yet.js'
import { backendRefFields } from './gateway-references.js'
import { dnsName, namespace, port } from './kind.js'

export const connectionParentRef = z
  .strictObject({
    group: z.enum(['', 'core', 'gateway.networking.k8s.io']).optional(),
    kind: words(['Gateway', 'Service'], ['ListenerSet']).prefault('Gateway'),
    name: dnsName(),
    namespace: namespace.optional(),
    port: port.optional(),
    sectionName: z.string().optional(),
  })
  .transform(({ group: _, ...ref }) => ref)

/** What a connection is forwarded to cannot be told by anything but its listener and its server name: one rule holds. */
export const connectionRules = z
  .array(
    z.strictObject({
      name: z.string().optional(),
      backendRefs: z
        .array(z.strictObject({ ...backendRefFields, weight: z.int().min(0).max(1_000_000).default(1) }))
        .min(1)
        .max(16),
    }),
  )
  .min(1)
  .refine((rules) => rules.length <= 1, {
    error: 'holds one rule: there is nothing to match here, and another would never be reached',
  })

export const connectionRouteFields = {
  parentRefs: z.array(connectionParentRef).min(1).max(32),
  rules: connectionRules,
  ...notYetKeys('useDefaultGateways'),
} as const

export type ConnectionRules = z.output<typeof connectionRules>

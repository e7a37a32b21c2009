/** `ReferenceGrant` (Gateway API v1beta1): lets routes of one namespace name services of another. */
import * as z from 'zod'
import { dnsName, namespace, resourceKind } from './kind.js'

export const referenceGrant = resourceKind({
  apiVersions: ['gateway.networking.k8s.io/v1beta1', 'gateway.networking.k8s.io/v1'],
  kind: 'ReferenceGrant',
  spec: z.strictObject({
    from: z
      .array(
        z.strictObject({
          group: z.literal('gateway.networking.k8s.io'),
          kind: z.enum(['HTTPRoute', 'GRPCRoute', 'TLSRoute', 'TCPRoute']),
          namespace,
        }),
      )
      .min(1)
      .max(16),
    to: z
      .array(z.strictObject({ group: z.enum(['', 'core']), kind: z.literal('Service'), name: dnsName().optional() }))
      .min(1)
      .max(16),
  }),
})

export type ReferenceGrantSpec = z.output<typeof referenceGrant.spec>

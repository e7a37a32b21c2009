/** `DestinationRule` (Istio): how a service is called, and the subsets of its endpoints. */
import * as z from 'zod'
import { dnsName, labels, resourceKind } from './kind.js'
import { trafficPolicy } from './traffic-policy.js'

export const destinationRule = resourceKind({
  apiVersions: ['networking.istio.io/v1', 'networking.istio.io/v1beta1', 'networking.istio.io/v1alpha3'],
  kind: 'DestinationRule',
  spec: z.strictObject({
    host: dnsName(),
    trafficPolicy: trafficPolicy.optional(),
    subsets: z
      .array(z.strictObject({ name: dnsName(), labels: labels.default({}), trafficPolicy: trafficPolicy.optional() }))
      .default([]),
    exportTo: z.array(z.string()).default(['*']),
    workloadSelector: z.strictObject({ matchLabels: labels.default({}) }).optional(),
  }),
})

export type DestinationRuleSpec = z.output<typeof destinationRule.spec>

/** `WorkloadEntry` (Istio): one instance that does not register itself; service entries find it by its labels. */
import * as z from 'zod'
import { resourceKind } from './kind.js'
import { endpointFields } from './service-entry.js'

export const workloadEntry = resourceKind({
  apiVersions: ['networking.istio.io/v1', 'networking.istio.io/v1beta1', 'networking.istio.io/v1alpha3'],
  kind: 'WorkloadEntry',
  spec: z.strictObject({ ...endpointFields, address: z.union([z.ipv4(), z.ipv6()]) }),
})

export type WorkloadEntrySpec = z.output<typeof workloadEntry.spec>

/** `Sidecar` (Istio): narrows what a workload reaches, and with it what its data plane is sent. */
import * as z from 'zod'
import { notYetKeys } from '../../config/forms/not-yet.js'
import { labels, resourceKind } from './kind.js'

const egressHost = z.string().regex(/^(\*|\.|~|[a-z0-9-]+)\/(\*|(\*\.)?[a-zA-Z0-9_][a-zA-Z0-9_.-]*)$/, {
  error: 'must be namespace/host; the namespace may be . or *, the host *.suffix or *',
})

export const sidecar = resourceKind({
  apiVersions: ['networking.istio.io/v1', 'networking.istio.io/v1beta1', 'networking.istio.io/v1alpha3'],
  kind: 'Sidecar',
  spec: z.strictObject({
    workloadSelector: z.strictObject({ labels: labels.default({}) }).optional(),
    egress: z
      .array(z.strictObject({ hosts: z.array(egressHost).min(1), ...notYetKeys('port', 'bind', 'captureMode') }))
      .min(1),
    ...notYetKeys('ingress', 'outboundTrafficPolicy', 'inboundConnectionPool'),
  }),
})

export type SidecarSpec = z.output<typeof sidecar.spec>
